"""Whether bytes may be written and read: the image storage is the right one, and it answers."""

from __future__ import annotations

from core.errors import StorageUnavailable
from core.probe import Probe
from db.session import Database
from db.stores import StoreCheck
from storage.base import BlobStore

LIMIT_S = 2.0
FRESH_S = 1.0
SILENT = f"The image storage has not answered within {LIMIT_S:g} seconds."


class StorageGuard:
    """Checks the storage for all requests of a process; shared by its threads."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._check = StoreCheck(database, store, settles=True)
        self._probe = Probe(self._check.require, limit_s=LIMIT_S, fresh_s=FRESH_S)

    def start(self) -> None:
        """Begin a check without waiting for its result."""
        self._probe.start()

    def require(self) -> None:
        """Return if an upload may be accepted; the check may be a second old.

        Raises:
            StorageUnavailable: it is missing, foreign or silent.
            SQLAlchemyError: the database, which knows which store is the right one, does not answer.
        """
        try:
            self._probe.get()
        except TimeoutError:
            raise StorageUnavailable(SILENT) from None

    def require_now(self) -> None:
        """Like `require`, with a check made now: before rows are committed for bytes that were just stored."""
        self._check.require()
