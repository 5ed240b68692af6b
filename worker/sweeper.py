"""Leaves no image behind: takes back expired leases, and publishes queued images whose message was lost.

Any number of sweepers may run: each step is a conditional UPDATE, and a message too many finds nothing to do.
Imports no torch.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue

import redis
import structlog
from celery import Celery
from sqlalchemy.exc import SQLAlchemyError

from core import logs
from core.queue import connect, depth, make_celery, publish
from core.settings import Settings
from db import heartbeats, jobs, leases, outcomes, workers
from db.session import Database, now
from db.states import Priority
from storage.open import open_store
from worker.janitor import Janitor

GRACE_S = 2.0
"""Whoever queued an image publishes it within this time; after it, the sweeper does."""

PUBLISH_LIMIT = 1000
"""Images published in one sweep: a worker that wakes takes the rest by itself."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Swept:
    requeued: int
    failed: int
    published: int


class Sweeper:
    def __init__(self, settings: Settings, database: Database, celery: Celery, broker: redis.Redis) -> None:
        self._settings = settings
        self._database = database
        self._celery = celery
        self._broker = broker

    def sweep(self) -> Swept:
        """One round. A broker that does not answer leaves the images to the next one."""
        with self._database.begin() as session:
            at = now(session)
            clamped = leases.clamp_leases(session, lease_s=self._settings.worker.lease_s, now=at)
            requeued, failed = leases.requeue_expired(session, max_attempts=self._settings.worker.max_attempts, now=at)
            outcomes.name_primary_predictions(session)
            outcomes.fill_in_for_lists(session)
            workers.forget(session, at)
            heartbeats.beat(session, heartbeats.SWEEPER, at)
        if clamped:
            log.warning("clock_was_set_back", images=clamped)
        if requeued or failed:
            log.warning("leases_expired", queued_image_ids=requeued, failed_image_ids=failed)
        published = self._publish()
        if published:
            log.info("published_again", image_ids=sorted(published))
        return Swept(len(requeued), len(failed), len(published))

    def _publish(self) -> set[int]:
        try:
            lost = depth(self._broker) == 0  # rows wait and no message does: theirs are gone
        except redis.RedisError as error:
            log.warning("broker_unreachable", error=type(error).__name__)
            return set()
        with self._database.begin() as session:
            at = now(session)
            due = jobs.take_unpublished(
                session,
                older_than=at - timedelta(seconds=GRACE_S),
                limit=PUBLISH_LIMIT,
                published_before=at - timedelta(seconds=self._settings.queue.stale_s) if lost else None,
                now=at,
            )
        published: set[int] = set()
        for priority in Priority:
            ids = [image_id for image_id, of_priority in due if of_priority is priority]
            published.update(publish(self._celery, ids, priority, self._settings.images_per_message))
        refused = [image_id for image_id, _ in due if image_id not in published]
        if refused:
            with self._database.begin() as session:
                jobs.unpublish(session, refused)
        return published


def run(settings: Settings) -> None:
    """Sweep at once, then every `sweep_interval_s`, until SIGTERM or SIGINT.

    The janitor has a thread of its own: a blob store that does not answer must not keep leases from being taken back.
    """
    logs.configure(settings, "sweeper")
    # Its `put` may interrupt its `get`; an Event's `set` that interrupts its `wait` waits for itself for ever.
    asked: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: asked.put(number))
    database = Database(settings.storage.database)
    sweeper = Sweeper(settings, database, make_celery(settings), connect(settings))
    step = Janitor(settings, database, open_store(settings)).step
    interval_s = settings.queue.sweep_interval_s
    over = threading.Event()
    janitor = threading.Thread(target=_repeat, args=(step, interval_s, over.wait), name="janitor", daemon=True)
    janitor.start()
    log.info("sweeper_ready", interval_s=interval_s)
    _repeat(sweeper.sweep, interval_s, partial(_arrives, asked))
    over.set()
    database.dispose()


def _repeat(step: Callable[[], object], interval_s: float, stopped_within: Callable[[float], bool]) -> None:
    while True:
        try:
            step()
        except SQLAlchemyError as error:
            log.warning("database_unreachable", error=type(error).__name__)
        if stopped_within(interval_s):
            return


def _arrives(queue: SimpleQueue[int], timeout_s: float) -> bool:
    with contextlib.suppress(Empty):
        queue.get(timeout=timeout_s)
        return True
    return False
