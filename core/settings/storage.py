"""Where the database, the images and the models are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from core.settings.group import Group
from core.settings.urls import require_scheme

DATABASE_SCHEMES = ("postgresql", "postgresql+psycopg", "sqlite")


class Storage(Group):
    """Where things are kept. Unless told otherwise, all of it is in the data directory."""

    data_dir: Path = Field(Path("data"), description="Database, images and secrets of an embedded service.")
    database_url: SecretStr = Field(SecretStr(""), description="SQLAlchemy URL; default: SQLite in the data directory.")
    blob_dir: Path | None = Field(None, description="Where image bytes live; default: blobs/ in the data directory.")
    storage_url: Annotated[str, Field(pattern=r"^(s3://[a-z0-9][a-z0-9.-]+(/[\w./-]*)?)?$")] = Field(
        "", description="`s3://bucket/prefix` keeps image bytes in S3-compatible object storage instead of `blob_dir`."
    )
    models_dir: Path | None = Field(
        None, description="Checkpoints that a service takes over; default: models/ in the data directory."
    )

    @field_validator("database_url")
    @classmethod
    def _scheme_is_known(cls, url: SecretStr) -> SecretStr:
        return require_scheme(url, DATABASE_SCHEMES) if url.get_secret_value() else url

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in the clear."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir.resolve() / 'pneumoscreen.db'}"

    @property
    def blobs(self) -> Path:
        return self.blob_dir or self.data_dir / "blobs"

    @property
    def spools(self) -> Path:
        """Where uploads wait for the object storage."""
        return self.data_dir / "incoming"

    @property
    def models(self) -> Path:
        return self.models_dir or self.data_dir / "models"
