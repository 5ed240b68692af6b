"""One report of how the service is, which the pages home and status, `/readyz` and `/metrics` all show.

Each part of the service is checked in a thread of its own and given up after two seconds, so that one that hangs does
not hold up the report. A result is used for one second, so that many requests cost as much as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.errors import ModelInvalid, StorageUnavailable
from core.probe import Probe
from core.queue import takes_writes
from core.settings import Settings
from db import backlog, deployments, heartbeats, workers
from db.session import Database, now
from db.tables import Model, Worker
from model import registry
from services.storage import StorageGuard
from storage.base import BlobStore
from web.health.codes import ERRORS, STOP_SCREENING_ALONE
from web.health.facts import Facts, Rows, WorkerFacts
from web.health.findings import Finding, find

LIMIT_S = 2.0
FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    facts: Facts
    findings: list[Finding]

    @property
    def ready(self) -> bool:
        """Uploads are accepted, so a load balancer may send them here. They may have to wait for a worker."""
        return not any(finding.code in ERRORS - STOP_SCREENING_ALONE for finding in self.findings)

    @property
    def works(self) -> bool:
        """Uploads are accepted and screened."""
        return not any(finding.code in ERRORS for finding in self.findings)


class ServiceHealth:
    """Makes the reports of one web process; shared by its threads."""

    def __init__(
        self, settings: Settings, database: Database, store: BlobStore, broker: redis.Redis, guard: StorageGuard
    ) -> None:
        self._settings = settings
        self._database = database
        self._guard = guard
        self._rows = Probe(self._read_rows, limit_s=LIMIT_S, fresh_s=FRESH_S)
        self._broker = Probe(lambda: takes_writes(broker), limit_s=LIMIT_S, fresh_s=FRESH_S)
        self._free = Probe(store.free_bytes, limit_s=LIMIT_S, fresh_s=FRESH_S)
        self._store = store
        self._checkpoint = Probe(self._find_checkpoint, limit_s=LIMIT_S, fresh_s=FRESH_S)

    def report(self) -> Report:
        for part in (self._guard, self._rows, self._broker, self._free, self._checkpoint):
            part.start()  # all at once: the report takes no longer if two of them hang
        facts = Facts(
            settings=self._settings,
            rows=self._ask_rows(),
            broker=self._ask_broker(),
            storage_error=self._storage_error(),
            free_bytes=self._ask_free_bytes(),
            has_checkpoint=self._ask_checkpoint(),
        )
        return Report(facts, find(facts))

    def _ask_rows(self) -> Rows | None:
        try:
            return self._rows.get()
        except (SQLAlchemyError, TimeoutError):
            return None

    def _ask_broker(self) -> bool:
        try:
            return self._broker.get()
        except TimeoutError:
            return False

    def _storage_error(self) -> StorageUnavailable | None:
        try:
            self._guard.require()
        except StorageUnavailable as error:
            return error
        except SQLAlchemyError:
            return None  # reported as a database that is down
        return None

    def _ask_free_bytes(self) -> int | None:
        try:
            return self._free.get()
        except (StorageUnavailable, TimeoutError):
            return None  # reported as a storage that is down

    def _ask_checkpoint(self) -> bool:
        try:
            return self._checkpoint.get()
        except (SQLAlchemyError, StorageUnavailable, TimeoutError):
            return True  # reported as a database or a storage that is down

    def _find_checkpoint(self) -> bool:
        """Whether workers can load the checkpoint of the deployed model."""
        with self._database.read() as session:
            primary = deployments.wanted(session).primary
        return bool(_shipped_sha256()) if primary is None else self._store.exists(primary)

    def _read_rows(self) -> Rows:
        with self._database.read() as session:
            at = now(session)
            return Rows(
                at=at,
                backlog=backlog.read(session, at),
                workers=_known_workers(session, at),
                sweeper_seen_at=heartbeats.last_seen(session, heartbeats.SWEEPER),
                images_per_s=backlog.images_per_s(session, at),
                deployed_sha256=deployments.wanted(session).primary or _shipped_sha256(),
                deployed_at=deployments.changed_at(session),
            )


def _shipped_sha256() -> str:
    """The model that comes with the release; empty if its file is damaged."""
    try:
        return registry.shipped().sha256
    except ModelInvalid:
        return ""


def _known_workers(session: Session, at: datetime) -> list[WorkerFacts]:
    """Workers that were seen within the last hour, also those that are silent now."""
    rows = session.execute(
        select(Worker, Model.name)
        .join(Model, Model.sha256 == Worker.model_sha256)
        .where(Worker.seen_at > at - timedelta(seconds=workers.FORGET_S))
        .order_by(Worker.name)
    )
    return [
        WorkerFacts(
            name=row.name,
            engine=row.engine,
            model=model_name,
            sha256=row.model_sha256,
            silent_for=at - row.seen_at,
            alive=at - row.seen_at < timedelta(seconds=workers.ALIVE_S),
            batches=row.batches,
            images=row.images,
            started_at=row.started_at,
            seen_at=row.seen_at,
            paused_reason=row.paused_reason,
            model_problem=row.model_problem,
        )
        for row, model_name in rows
    ]
