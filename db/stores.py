"""Which blob store holds the images of this database.

A store has a marker with an id (`storage/marker.py`), and the database records that id. Before bytes are written, read
or deleted, `StoreCheck` compares the two, so that no image is lost when a folder is not mounted, or another one is.
"""

from __future__ import annotations

import threading

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import StorageForeign, StorageMissing
from db import dialect
from db.session import Database, now
from db.tables import Image, RecordedStore
from storage import marker
from storage.base import BlobStore

SAMPLE = 20
"""How many of the newest images are looked for in a store, before it is recorded as that of this database."""

TODO = (
    "Mount the right folder, or correct PNEUMOSCREEN_BLOB_DIR or PNEUMOSCREEN_STORAGE_URL; then all goes on by itself. "
    "If this is the right one after all, restored from a backup say, run: pneumoscreen db adopt-store"
)
"""What an operator does about a StorageMissing or StorageForeign."""


def recorded_id(session: Session) -> str | None:
    """None: this database has no store yet, or it comes from a release that had no markers."""
    return session.scalars(select(RecordedStore.store_id)).one_or_none()


def settle(database: Database, store: BlobStore) -> None:
    """Record the store at the configured place, if the database has none yet and this may be its store; safe to repeat.

    It may be if the database has no images and the place no blobs, or if the place has most of the newest images. In
    all other cases nothing is written, and `StoreCheck` says what is wrong.

    Raises:
        StorageUnavailable: the place cannot be read or written.
    """
    with database.read() as session:
        ours = recorded_id(session) is None and _may_be_ours(session, store)
    if ours:
        adopt(database, store, replace=False)


def adopt(database: Database, store: BlobStore, *, replace: bool = True) -> None:
    """Record the store at the configured place as this database's, with a marker if it has none.

    Of several processes that do this at once without `replace`, the first one wins: the row is locked while its marker
    is written.

    Raises:
        StorageUnavailable: the place cannot be read or written.
    """
    present = store.store_id()
    store_id = present or marker.new_id()
    with database.begin() as session:
        if _record(session, store_id, replace=replace) and present is None:
            store.make(store_id)


def _record(session: Session, store_id: str, *, replace: bool) -> bool:
    """Whether this is the recorded store now."""
    values = {"store_id": store_id, "recorded_at": now(session)}
    insert = dialect.insert(session, RecordedStore).values(number=1, **values)
    if replace:
        session.execute(insert.on_conflict_do_update(index_elements=["number"], set_=values))
        return True
    inserted = session.scalars(insert.on_conflict_do_nothing().returning(RecordedStore.number)).all()
    return bool(inserted)


def _may_be_ours(session: Session, store: BlobStore) -> bool:
    sample = set(session.scalars(select(Image.sha256).order_by(Image.id.desc()).limit(SAMPLE)))
    if not sample:
        return not store.holds_blobs()
    return 2 * sum(store.exists(sha256) for sha256 in sample) > len(sample)


class StoreCheck:
    """Compares the marker of the store with the record in the database; safe to share between threads.

    `settles`: also gives a new database its store, which only processes that may write there can.
    """

    def __init__(self, database: Database, store: BlobStore, *, settles: bool = False) -> None:
        self._database = database
        self._store = store
        self._settles = settles
        self._expected: str | None = None
        self._lock = threading.Lock()

    def require(self) -> None:
        """Return if the store is the one that the images are in. Costs one small read; the record is asked for once.

        Raises:
            SQLAlchemyError: the database does not answer.
            StorageMissing: there is no marker at its place.
            StorageForeign: there is another one.
            StorageUnavailable: the place cannot be read.
        """
        present = self._store.store_id()
        if present is not None and present == self._expected:
            return
        with self._lock:
            if self._settles and self._expected is None:
                settle(self._database, self._store)
                present = self._store.store_id()
            with self._database.read() as session:
                self._expected = recorded_id(session)
            if present is None:
                raise StorageMissing(_missing(self._expected))
            if present != self._expected:
                raise StorageForeign(_foreign(self._expected))


def _missing(expected: str | None) -> str:
    if expected is None:
        return "The image storage is not set up for this database."
    return f"The image storage is not there: its marker {marker.NAME} is missing."


def _foreign(expected: str | None) -> str:
    if expected is None:
        return "The image storage has a marker that this database does not know."
    return "The image storage is another one than the one in which this database's images are."
