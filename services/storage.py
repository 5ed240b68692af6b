"""Whether bytes may be taken and handed out: the image storage is the right one, and answers."""

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
    """One a process, shared by its threads."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._check = StoreCheck(database, store, settles=True)
        self._probe = Probe(self._check.require, limit_s=LIMIT_S, fresh_s=FRESH_S)

    def start(self) -> None:
        """Ask without waiting for the answer."""
        self._probe.start()

    def require(self) -> None:
        """Return if an upload may be taken; the answer may be a second old.

        Raises:
            StorageUnavailable: it is missing, foreign or silent.
            SQLAlchemyError: the database, which knows which store is the right one, does not answer.
        """
        try:
            self._probe.get()
        except TimeoutError:
            raise StorageUnavailable(SILENT) from None

    def require_now(self) -> None:
        """The same of this moment: before rows are committed for bytes that were just stored."""
        self._check.require()
