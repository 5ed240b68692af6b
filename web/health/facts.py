"""What is known of the service at one moment, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import StorageUnavailable
from core.settings import Settings
from db.backlog import Backlog
from web.quantities import duration


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    name: str
    engine: str
    model: str
    sha256: str
    silent_for: timedelta
    alive: bool
    batches: int
    images: int
    started_at: datetime
    seen_at: datetime
    paused_reason: str | None = None
    model_problem: str | None = None

    @property
    def seen(self) -> str:
        return duration(self.silent_for)

    @property
    def host(self) -> str:
        return self.name.split(":")[0]


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database says."""

    at: datetime
    backlog: Backlog
    workers: Sequence[WorkerFacts]
    sweeper_seen_at: datetime | None
    images_per_s: float | None
    deployed_sha256: str
    deployed_at: datetime | None
    """None: nobody has ever deployed another model than the one that comes with the release."""

    @property
    def alive(self) -> list[WorkerFacts]:
        return [worker for worker in self.workers if worker.alive]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that findings are made of. `rows` is None while the database does not answer."""

    settings: Settings
    rows: Rows | None
    broker: bool
    storage_error: StorageUnavailable | None
    free_bytes: int | None
    has_checkpoint: bool
    """Of the deployed model."""
