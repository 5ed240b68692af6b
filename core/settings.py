"""One frozen `Settings`, from `PNEUMOSCREEN_*` environment variables. Wrong values fail at start, by name.

A secret may be given as a file instead: `PNEUMOSCREEN_DATABASE_URL_FILE=/run/secrets/database_url` (the way
Docker and Kubernetes hand secrets over). Setting both is an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from core.engines import EngineName
from core.errors import ConfigurationError

PREFIX = "PNEUMOSCREEN_"

NOT_SETTINGS = {"URL", "TOKEN", "TEST_DATA", "LIFELINE_FD"}
"""Variables with our prefix that belong to the command line, the tests and the launcher."""

SCHEMES = {
    "database_url": ("postgresql", "postgresql+psycopg", "sqlite"),
    "redis_url": ("redis", "rediss", "redis+socket"),
}
"""How URLs begin that this service can use."""

DOORBELL_IMAGES = 16

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Every knob of every process. Names carry their unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(Path("data"), description="Database, images and secrets of an embedded service.")
    database_url: SecretStr = Field(SecretStr(""), description="SQLAlchemy URL; default: SQLite in the data directory.")
    redis_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Valkey or Redis.")
    secret_key: SecretStr = Field(SecretStr(""), description="Makes CSRF tokens; the web process needs it.")
    blob_dir: Path | None = Field(None, description="Where image bytes live; default: blobs/ in the data directory.")
    storage_url: Annotated[str, Field(pattern=r"^(s3://[a-z0-9][a-z0-9.-]+(/[\w./-]*)?)?$")] = Field(
        "", description="`s3://bucket/prefix` keeps image bytes in S3-compatible object storage instead of `blob_dir`."
    )
    s3_endpoint: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = Field(
        "", description="Address of an S3-compatible server; default: that of AWS in the region."
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: SecretStr = Field(SecretStr(""), description="Access key; default: that of the AWS instance.")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="Secret that belongs to the access key.")
    s3_timeout_s: Seconds = Field(30.0, description="Longest single request to the object storage.")
    models_dir: Path | None = Field(None, description="Imported checkpoints; default: models/ in the data directory.")

    max_upload_bytes: Count = Field(64_000_000, description="Largest single file accepted.")
    max_request_bytes: Count = Field(1_000_000_000, description="Largest upload request accepted.")
    max_pixels: Count = Field(100_000_000, description="Largest image accepted, width times height.")
    max_queued_images: Count = Field(200_000, description="Images that may wait; beyond, uploads are asked to wait.")
    reserved_queue_images: Annotated[int, Field(ge=0)] = Field(
        1000, description="Places of these that only images sent as urgent may take, a few of each user."
    )
    min_free_disk_bytes: Annotated[int, Field(ge=0)] = Field(
        500_000_000, description="Uploads leave this much of the image storage's disk free."
    )
    session_hours: Count = Field(12, description="A browser that is not used for so long is signed out.")
    session_absolute_hours: Count = Field(24, description="A browser is signed out after so long in any case.")
    cookie_secure: bool = Field(False, description="The pages are used over HTTPS only: `Secure` cookie and HSTS.")

    trusted_proxies: Annotated[int, Field(ge=0)] = Field(
        0, description="Proxies in front whose X-Forwarded-For tells the client's address; 0: believe nobody."
    )

    web_host: str = Field("127.0.0.1", description="Address the web process listens on.")
    web_port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port; 0 takes a free one.")
    web_processes: Count = Field(1, description="Web processes, each with an event loop and threads of its own.")
    web_threads: Count = Field(8, description="Requests that each web process works on at a time; others may be slow.")
    web_connections: Count = Field(
        2000, description="Connections of each web process; beyond, the ones that wait longest for their client close."
    )
    web_connections_per_address: Count = Field(
        500, description="Of these, at most so many from one address. Not with trusted proxies, which limit themselves."
    )
    web_header_timeout_s: Seconds = Field(10.0, description="Longest time for the header of a request to arrive.")
    web_slow_after_s: Seconds = Field(
        30.0, description="Time over which the speed of a client is averaged; it may do nothing for as long."
    )
    web_min_bytes_per_s: Count = Field(1000, description="A client that sends or reads more slowly is cut off.")

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

    sweep_interval_s: Seconds = Field(1.0, description="How often the sweeper looks.")
    stale_s: Seconds = Field(5.0, description="Queued this long with an empty broker queue: ring again.")

    retention_days: Annotated[int, Field(ge=0)] = Field(
        0, description="Delete jobs in which nothing has happened for so many days; 0: keep them."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe event logged.")
    log_format: Literal["text", "json"] = Field("text", description="`json` for log collectors.")

    @field_validator("database_url", "redis_url")
    @classmethod
    def _scheme_is_known(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        """Only the scheme is told: the rest of the URL holds a password."""
        scheme, separator, _ = url.get_secret_value().partition("://")
        known = SCHEMES[str(info.field_name)]
        default = info.field_name == "database_url" and not url.get_secret_value()
        if not default and not (separator and scheme in known):
            raise ValueError(f"this is no URL that begins with one of {', '.join(f'{name}://' for name in known)}")
        return url

    @field_validator("redis_url")
    @classmethod
    def _port_is_a_number(cls, url: SecretStr) -> SecretStr:
        try:
            _ = urlsplit(url.get_secret_value()).port
        except ValueError:
            raise ValueError("this is no URL: check its form, and its port, which must be a number") from None
        return url

    @model_validator(mode="after")
    def _lease_outlives_heartbeat(self) -> Settings:
        if self.heartbeat_s * 2 > self.lease_s:
            raise ValueError("lease_s must be at least twice heartbeat_s, or one late heartbeat loses the lease")
        return self

    @model_validator(mode="after")
    def _reserve_is_a_part_of_the_queue(self) -> Settings:
        if self.reserved_queue_images >= self.max_queued_images:
            raise ValueError("reserved_queue_images must be less than max_queued_images, or bulk images have no place")
        return self

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in the clear."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir.resolve() / 'pneumoscreen.db'}"

    @property
    def signing_key(self) -> str:
        """The key that signs sessions.

        Raises:
            ConfigurationError: there is none, or one that could be guessed.
        """
        key = self.secret_key.get_secret_value()
        if len(key) < 16:
            raise ConfigurationError(
                "Set PNEUMOSCREEN_SECRET_KEY or PNEUMOSCREEN_SECRET_KEY_FILE (16 characters or more)."
            )
        return key

    @property
    def redis(self) -> str:
        """The broker's URL in the clear."""
        return self.redis_url.get_secret_value()

    @property
    def blobs(self) -> Path:
        return self.blob_dir or self.data_dir / "blobs"

    @property
    def spools(self) -> Path:
        """Where uploads wait for the object storage."""
        return self.data_dir / "incoming"

    @property
    def doorbell_images(self) -> int:
        """For how many images one message rings. Any number would do: a worker that wakes takes all that is queued."""
        return self.batch_size or DOORBELL_IMAGES

    @property
    def models(self) -> Path:
        return self.models_dir or self.data_dir / "models"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        ConfigurationError: a value is wrong, or a `*_FILE` cannot be read; the sentence names the variable.
    """
    environ = os.environ if environ is None else environ
    known = {name.upper() for name in Settings.model_fields}
    values: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX)
        if name in known:
            values[name.lower()] = value
        elif name.removesuffix("_FILE") in known:
            if PREFIX + name.removesuffix("_FILE") in environ:
                raise ConfigurationError(f"Set {variable.removesuffix('_FILE')} or {variable}, not both.")
            values[name.removesuffix("_FILE").lower()] = _read_secret(variable, Path(value))
        elif name not in NOT_SETTINGS:
            raise ConfigurationError(f"{variable} is not a setting; see docs/configuration.md for their names.")
    try:
        return Settings(**values)  # type: ignore[arg-type]  # pydantic parses the strings
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {_said(e)}" if e["loc"] else _said(e)
            for e in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"Wrong configuration: {problems}.") from None


def _said(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{variable}: cannot read {path}: {error.strerror}.") from error
