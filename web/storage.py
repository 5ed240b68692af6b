"""Whether bytes may be taken and handed out: the image storage is the right one, and answers."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from core.errors import StorageUnavailable
from core.probe import Probe
from db.stores import StoreCheck
from web.services import Services

_KEY = "pneumoscreen.storage"

LIMIT_S = 2.0
FRESH_S = 1.0
SILENT = f"The image storage has not answered within {LIMIT_S:g} seconds."


class Storage:
    """One a web process, shared by its threads."""

    def __init__(self, ours: Services) -> None:
        self._check = StoreCheck(ours.database, ours.store, settles=True)
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


def install(app: Flask, ours: Services) -> Storage:
    app.extensions[_KEY] = storage = Storage(ours)
    return storage


def storage() -> Storage:
    """That of the application that handles the current request."""
    return cast(Storage, current_app.extensions[_KEY])
