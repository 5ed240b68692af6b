"""Which store the settings ask for: a directory, or object storage."""

from __future__ import annotations

from core.errors import ConfigurationError
from core.settings import Settings
from storage.base import BlobStore
from storage.local import LocalBlobStore


def open_store(settings: Settings) -> BlobStore:
    """Nothing is contacted or made yet.

    Raises:
        ConfigurationError: object storage is asked for, and the extra that talks to it is not installed.
    """
    if not settings.storage.storage_url:
        return LocalBlobStore(settings.storage.blobs)
    try:
        from storage.s3 import S3BlobStore
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "PNEUMOSCREEN_STORAGE_URL needs the extra `s3`: pip install 'pneumoscreen[s3]'."
        ) from error
    return S3BlobStore(settings)
