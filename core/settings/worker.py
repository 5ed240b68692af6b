"""How a worker screens images."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from core.engines import EngineName
from core.settings.group import Count, Group, Seconds


class Worker(Group):
    """What a worker runs, how much of it at a time, and for how long it may hold an image."""

    engine: EngineName = Field(
        "auto", description="What runs the network; `auto`: CUDA, else the fastest on a CPU that the model allows."
    )
    batch_size: Annotated[int, Field(ge=0)] = Field(
        0, description="Images in one forward pass, at most; 0: as many as the engine is fastest with."
    )
    decode_threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Threads that decode images beside the forward pass; 0: one for each core."
    )
    lease_s: Seconds = Field(8.0, description="A worker silent this long loses its images.")
    heartbeat_s: Seconds = Field(2.0, description="How often a worker renews its leases.")
    idle_check_s: Seconds = Field(
        1.0, description="How often an idle worker looks for images in the database, whether or not the broker answers."
    )
    max_attempts: Count = Field(3, description="Tries of one image before it fails for good.")

    @model_validator(mode="after")
    def _lease_outlives_heartbeat(self) -> Self:
        if self.heartbeat_s * 2 > self.lease_s:
            raise ValueError("lease_s must be at least twice heartbeat_s, or one late heartbeat loses the lease")
        return self
