"""Which model this worker shall run, and the way to it: the heartbeat learns the one, the screener goes the other.

A model that cannot be loaded changes nothing: the worker goes on with the one it has, says why, and tries again later.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.engines import EngineName
from core.errors import DeviceLost, PneumoscreenError
from db import workers
from db.session import Database, now
from db.stores import StoreCheck
from model import loaded
from model.loaded import LoadedModel
from model.registry import Entry
from services import checkpoints
from services.deployments import primary_sha256
from storage.base import BlobStore

RETRY_S = 30.0
"""Between two tries of a model that cannot be loaded: each takes seconds in which nothing is screened."""

log = structlog.get_logger()


class DeployedModel:
    """The primary model of the deployments, as far as this worker knows them."""

    def __init__(
        self, database: Database, store: BlobStore, engine: EngineName, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.problem: str | None = None
        self._database = database
        self._store = store
        self._store_check = StoreCheck(database, store)
        self._engine = engine
        self._clock = clock
        self._wanted: str | None = None
        self._failed: str | None = None
        self._retry_at_s = 0.0

    @property
    def wanted_from_store(self) -> str | None:
        """The sha256 of the wanted model, if its checkpoint lies in the blob store; None for one of the code."""
        return None if self._wanted is None or checkpoints.is_shipped(self._wanted) else self._wanted

    def learn(self) -> str:
        """Ask the database which model is wanted; one small read. Returns its sha256.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        with self._database.read() as session:
            self._wanted = wanted = primary_sha256(session)
        return wanted

    def load(self) -> LoadedModel:
        """The first model of this worker.

        Raises:
            ModelInvalid: it is missing or damaged.
            ConfigurationError: the engine of the settings cannot run it here.
            StorageUnavailable: the blob store, in which the checkpoint lies, is away or does not answer.
            SQLAlchemyError: the database does not answer.
        """
        return self._load(self.learn())

    def is_due(self, current_sha256: str) -> bool:
        """Whether another model than this one is wanted, and may be tried now."""
        wanted = self._wanted
        if wanted is None or wanted == current_sha256:
            self.problem = self._failed = None
            return False
        return wanted != self._failed or self._clock() >= self._retry_at_s

    def replacement(self) -> LoadedModel | None:
        """The model that is wanted, or None if it cannot be loaded; `problem` then says why."""
        wanted = self._wanted or ""  # something is wanted, or nothing was due
        try:
            model = self._load(wanted)
        except DeviceLost:
            raise
        except PneumoscreenError as error:
            self._note_failure(wanted, error.message)
        except SQLAlchemyError:
            self._note_failure(wanted, "The database did not answer.")
        except Exception as error:  # of a library, on a checkpoint that only it finds fault with
            log.exception("model_not_loaded", sha256=wanted[:12])
            self._note_failure(wanted, f"Loading it failed unexpectedly ({type(error).__name__}).")
        else:
            self.problem = self._failed = None
            log.info("model_changed", model=model.name, sha256=wanted[:12], engine=model.engine.name)
            return model
        return None

    def _note_failure(self, sha256: str, reason: str) -> None:
        self._failed, self._retry_at_s = sha256, self._clock() + RETRY_S
        self.problem = f"It cannot load the model {sha256[:12]}: {reason}"[:300]
        log.warning("model_kept", wanted=sha256[:12], reason=reason)

    def _load(self, sha256: str) -> LoadedModel:
        if not checkpoints.is_shipped(sha256):
            self._store_check.require()  # else a folder that is not mounted would pass for a checkpoint that is missing
        with checkpoints.fetched(self._store, sha256) as entry:
            model = loaded.load(entry, self._engine)
            self._register(entry)
        return model

    def _register(self, entry: Entry) -> None:
        """Predictions name their model, and so does the worker's own row."""
        with self._database.begin() as session:
            card = entry.card.model_dump(mode="json")
            workers.register_model(session, sha256=entry.sha256, name=entry.name, card=card, now=now(session))
