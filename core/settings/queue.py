"""The broker, and the images that wait."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from core.settings.group import Count, Group, Seconds
from core.settings.urls import require_port, require_scheme

BROKER_SCHEMES = ("redis", "rediss", "redis+socket")


class Queue(Group):
    """Where the broker is, how many images may wait, and how the sweeper looks after them."""

    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Valkey or Redis.")
    max_queued_images: Count = Field(200_000, description="Images that may wait; beyond, uploads are asked to wait.")
    reserved_queue_images: Annotated[int, Field(ge=0)] = Field(
        1000, description="Places of these that only interactive images may take, a few of each user."
    )
    sweep_interval_s: Seconds = Field(1.0, description="How often the sweeper looks.")
    stale_s: Seconds = Field(5.0, description="Queued this long with an empty broker queue: publish the image again.")

    @field_validator("redis_url")
    @classmethod
    def _url_is_of_a_broker(cls, url: SecretStr) -> SecretStr:
        return require_port(require_scheme(url, BROKER_SCHEMES))

    @model_validator(mode="after")
    def _reserve_is_a_part_of_the_queue(self) -> Self:
        if self.reserved_queue_images >= self.max_queued_images:
            raise ValueError("reserved_queue_images must be less than max_queued_images, or bulk images have no place")
        return self

    @property
    def redis(self) -> str:
        """The broker's URL in the clear."""
        return self.redis_url.get_secret_value()
