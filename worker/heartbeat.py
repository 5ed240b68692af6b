"""A thread that renews this worker's leases, tells the database that it lives, and learns which model is deployed.

It does so whatever the forward pass does.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.settings import Settings
from db import workers
from db.limits import within
from db.session import Database, now
from worker.pipeline import Pipeline

NO_ENGINE = "none"
"""What a worker is listed with that waits for its first model."""

log = structlog.get_logger()


class Listing(NamedTuple):
    """What the database has of a worker besides its sign of life."""

    engine: str
    sha256: str


class Heartbeat:
    """Beats every `heartbeat_s` from `start` to `stop`."""

    def __init__(self, settings: Settings, database: Database, pipeline: Pipeline) -> None:
        self._interval_s = settings.worker.heartbeat_s
        self._lease_s = settings.worker.lease_s
        self._database = database
        self._pipeline = pipeline
        self._listed_as: Listing | None = None
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                with within(self._lease_s):  # what comes later renews nothing
                    self.beat()
            except SQLAlchemyError as error:
                # The next beat tries again; if the database stays away, the lease expires and the image is redone.
                log.warning("heartbeat_missed", error=type(error).__name__)

    def beat(self) -> None:
        """Renew, tell and learn, once. Until the first model is loaded only a worker that waits for it is listed."""
        with self._one_at_a_time:
            pipeline = self._pipeline
            pipeline.renew_leases()
            if pipeline.deployed is not None:
                pipeline.deployed.learn()
            if (listing := self._listing()) is None:
                return
            with self._database.begin() as session:
                at = now(session)
                if listing != self._listed_as or not self._tell(session, at):
                    engine, sha256 = listing
                    workers.register(session, name=pipeline.name, engine=engine, model_sha256=sha256, now=at)
                    self._tell(session, at)
            self._listed_as = listing

    def _listing(self) -> Listing | None:
        """None while the first model is being loaded. A model in the blob store has a row, which a listing needs."""
        pipeline = self._pipeline
        if (model := pipeline.loaded_model) is not None:
            return Listing(model.engine.name, model.sha256)
        if pipeline.paused_reason and pipeline.deployed is not None and (sha256 := pipeline.deployed.wanted_from_store):
            return Listing(NO_ENGINE, sha256)
        return None

    def _tell(self, session: Session, at: datetime) -> bool:
        """Returns False if this worker is not listed."""
        pipeline = self._pipeline
        return workers.beat(
            session,
            name=pipeline.name,
            batches=pipeline.batches,
            images=pipeline.images,
            now=at,
            paused_reason=pipeline.paused_reason,
            model_problem=pipeline.deployed.problem if pipeline.deployed is not None else None,
        )
