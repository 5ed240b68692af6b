"""The bytes of the images in S3-compatible object storage, for hosts that share no folder.

Uploads spool on the local disk, as before, and are sent as one object named by its sha256: the server shows it whole or
not at all, and sending it twice changes nothing. What is fetched is checked against its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from core.errors import BlobDamaged, BlobMissing, StorageUnavailable
from core.settings import Settings
from storage import marker
from storage.base import SHA256_HEX, checked, missing, storage_errors
from storage.spool import Spool, drop_spools, new_spool

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_TIMEOUT_S = 5
MAX_RETRIES = 2
RETRY_TIMEOUT_S = 20
PART_BYTES = 8 * 1024**2
PARTS_AT_A_TIME = 2
"""With the two numbers above at most 16 MiB of an upload are in memory."""
MEMORY_BYTES = 1024**2
"""A blob that is read stays in memory up to this size, else it goes to an unnamed temporary file."""
NO_BUCKET = "Could not write to the object storage: there is no such bucket."


class S3BlobStore:
    """Blobs in a bucket. Every method raises StorageUnavailable if the server refuses or does not answer."""

    def __init__(self, settings: Settings) -> None:
        bucket, _, prefix = settings.storage.storage_url.removeprefix("s3://").partition("/")
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            region=settings.s3.region,
            # The server checks each part against this.
            checksum_algorithm="SHA256",
            client_options={
                "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
                "timeout": timedelta(seconds=settings.s3.timeout_s),
                "allow_http": settings.s3.endpoint.startswith("http://"),
            },
            retry_config={"max_retries": MAX_RETRIES, "retry_timeout": timedelta(seconds=RETRY_TIMEOUT_S)},
            config=_given(
                endpoint=settings.s3.endpoint,
                access_key_id=settings.s3.access_key_id.get_secret_value(),
                secret_access_key=settings.s3.secret_access_key.get_secret_value(),
            ),
        )
        self._spools = settings.storage.spools

    def make(self, store_id: str) -> None:
        """The bucket itself has to be there."""
        try:
            with _server_errors("write to"):
                obstore.put(self._store, marker.NAME, marker.write(store_id))
        except BlobMissing as error:
            raise StorageUnavailable(NO_BUCKET) from error

    def store_id(self) -> str | None:
        """None also if there is no such bucket."""
        try:
            with _server_errors("read"):
                return marker.read(bytes(obstore.get(self._store, marker.NAME).bytes()))
        except BlobMissing:
            return None

    def holds_blobs(self) -> bool:
        with contextlib.suppress(BlobMissing), _server_errors("read"):
            names = (_name(item["path"]) for page in obstore.list(self._store) for item in page)
            return any(SHA256_HEX.fullmatch(name) for name in names)
        return False

    def spool(self, max_bytes: int) -> Spool:
        """An empty spool on the local disk, for which only the web process needs one."""
        with storage_errors("create"):
            self._spools.mkdir(parents=True, exist_ok=True, mode=0o700)
        return new_spool(self._spools, max_bytes)

    def put(self, spool: Spool) -> str:
        """Store the spool's bytes; returns their sha256 once the server has them. The spool is used up.

        What is there already is replaced: it may be damaged, and is young again for `stored_before`.
        """
        sha256 = spool.sha256
        spool.seek(0)  # writes out what is still in the buffer
        try:
            with _server_errors("write to"):
                obstore.put(
                    self._store, _key(sha256), spool.path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_A_TIME
                )
        except BlobMissing as error:
            raise StorageUnavailable(NO_BUCKET) from error
        spool.close()
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        """Raises BlobMissing: there is no such blob. Raises BlobDamaged: its bytes are not those of its name."""
        key = _key(sha256)
        file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES))  # noqa: SIM115  # the caller's
        try:
            digest = hashlib.sha256()
            with _server_errors("read"):
                for piece in obstore.get(self._store, key).stream(min_chunk_size=MEMORY_BYTES):
                    digest.update(piece)
                    with storage_errors("buffer bytes of"):
                        file.write(piece)
            if digest.hexdigest() != sha256:
                raise BlobDamaged("The image storage gave other bytes than were stored.")
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def exists(self, sha256: str) -> bool:
        try:
            with _server_errors("read"):
                obstore.head(self._store, _key(sha256))
        except BlobMissing:
            return False
        return True

    def delete(self, sha256: str) -> None:
        """Deleting what is not there is no error."""
        with contextlib.suppress(BlobMissing), _server_errors("delete from"):
            obstore.delete(self._store, _key(sha256))

    def stored_before(self, first_byte: int, time_s: float) -> list[str]:
        """The blobs whose sha256 begins with `first_byte` (0 to 255), stored before `time_s` (seconds of the epoch).

        By the server's clock; a bucket that does not exist has none.
        """
        old: list[str] = []
        with contextlib.suppress(BlobMissing), _server_errors("read"):
            for page in obstore.list(self._store, prefix=f"{first_byte:02x}"):
                old += [_name(item["path"]) for item in page if item["last_modified"].timestamp() < time_s]
        return sorted(name for name in old if SHA256_HEX.fullmatch(name))

    def drop_spools(self, time_s: float) -> int:
        """Remove what uploads of this host that were cut off left behind, not written to since `time_s`; how many."""
        return drop_spools(self._spools, time_s) if self._spools.is_dir() else 0

    def free_bytes(self) -> int | None:
        """None: a bucket has no size."""
        return None


def _key(sha256: str) -> str:
    return f"{checked(sha256)[:2]}/{sha256}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _given(**options: str) -> S3Config:
    return cast("S3Config", {name: value for name, value in options.items() if value})


@contextlib.contextmanager
def _server_errors(action: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise missing() from error
    except (BaseError, OSError) as error:
        # Its text names the bucket, the key and the address: for the operator's eyes, as the cause.
        raise StorageUnavailable(f"Could not {action} the object storage: {type(error).__name__}.") from error
