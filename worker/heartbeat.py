"""A thread that renews this worker's leases, tells the database that it lives, and learns which model is deployed.

It does so whatever the forward pass does.
"""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.settings import Settings
from db import workers
from db.limits import within
from db.session import Database, now
from model.loaded import LoadedModel
from worker.pipeline import Pipeline

log = structlog.get_logger()


class Heartbeat:
    """Beats every `heartbeat_s` from `start` to `stop`."""

    def __init__(self, settings: Settings, database: Database, pipeline: Pipeline) -> None:
        self._interval_s = settings.worker.heartbeat_s
        self._lease_s = settings.worker.lease_s
        self._database = database
        self._pipeline = pipeline
        self._listed_with: LoadedModel | None = None
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
        pipeline = self._pipeline
        pipeline.renew_leases()
        if pipeline.deployed is not None:
            pipeline.deployed.learn()
        model = pipeline.model
        with self._database.begin() as session:
            at = now(session)
            listed = workers.beat(
                session,
                name=pipeline.name,
                batches=pipeline.batches,
                images=pipeline.images,
                now=at,
                paused_reason=pipeline.paused_reason,
                model_problem=pipeline.deployed.problem if pipeline.deployed is not None else None,
            )
            if not listed or model is not self._listed_with:
                workers.register(
                    session, name=pipeline.name, engine=model.engine.name, model_sha256=model.sha256, now=at
                )
        self._listed_with = model
