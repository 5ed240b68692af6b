"""The worker process: Celery with one thread, one model, one pipeline. One process a GPU."""

from __future__ import annotations

import os
import secrets
import socket
from typing import Any

import structlog
from celery import Celery
from celery.signals import celeryd_after_setup, setup_logging, worker_ready, worker_shutting_down

from core import logs
from core.errors import CONFIGURATION_STATUS, ConfigurationError, ModelInvalid, PneumoscreenError
from core.queue import QUEUES, make_celery
from core.settings import Settings
from core.stores import open_store
from db import workers
from db.session import Database, now
from model import engines
from model.registry import Entry, Registry
from worker.heartbeat import Heartbeat
from worker.pipeline import Pipeline
from worker.tasks import register

log = structlog.get_logger()


def run(settings: Settings) -> int:
    """Serve until SIGTERM; the batch in work is finished. Returns the exit status.

    Raises:
        ConfigurationError: the active checkpoint is missing or damaged, or the engine cannot run it here; nothing has
            been claimed.
    """
    logs.configure(settings, "worker")
    entry = _usable_model(settings)
    database = Database(settings.database)
    pipeline = Pipeline(
        settings,
        database,
        open_store(settings),
        lambda: engines.load(entry, settings.engine),
        f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(2)}",
    )
    heartbeat = Heartbeat(settings, database, pipeline)
    app = make_celery(settings, consumer=True)
    register(app, pipeline)
    try:
        return _serve(app, pipeline, heartbeat, lambda: _announce(database, pipeline, entry))
    finally:
        heartbeat.stop()
        pipeline.close()
        with database.begin() as session:
            workers.leave(session, name=pipeline.name)


def _usable_model(settings: Settings) -> Entry:
    """The active model, if the engine of the settings can run it on this machine.

    Raises:
        ConfigurationError: it cannot, or the model is missing or damaged: starting again would not help.
    """
    try:
        entry = Registry(settings.models).active()
    except ModelInvalid as error:
        raise ConfigurationError(error.message) from error
    engines.check(entry, settings.engine)
    return entry


def _serve(app: Celery, pipeline: Pipeline, heartbeat: Heartbeat, announce: Any) -> int:
    """Run Celery's own worker in this thread; it installs the signal handlers."""

    def first_drain() -> None:
        try:
            announce()
            heartbeat.start()
            pipeline.drain()  # what was queued while no worker ran, whether or not its doorbell is still there
        except PneumoscreenError as error:
            log.error("worker_cannot_start", reason=error.message)
            os._exit(CONFIGURATION_STATUS if isinstance(error, ConfigurationError | ModelInvalid) else 1)
        except Exception:
            log.exception("worker_cannot_start")
            os._exit(1)  # a thread's exception would leave a worker that takes messages and never a model

    def on_ready(sender: Any, **_: Any) -> None:
        sender.pool.apply_async(first_drain, callback=lambda _result: None)

    def on_shutting_down(**_: Any) -> None:
        pipeline.stop()

    setup_logging.connect(_keep_our_logging, weak=False)
    worker_ready.connect(on_ready, weak=False)
    worker_shutting_down.connect(on_shutting_down, weak=False)
    celeryd_after_setup.connect(_check_shape, weak=False)
    worker = app.Worker(
        hostname=f"pneumoscreen@{pipeline.name}",
        pool="threads",
        concurrency=1,
        queues=",".join(QUEUES),
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _announce(database: Database, pipeline: Pipeline, entry: Entry) -> None:
    """Load the model (in this, the pool's thread) and tell the database which one it is."""
    predictor = pipeline.predictor
    with database.begin() as session:
        at = now(session)
        card = entry.card.model_dump(mode="json")
        workers.register_model(session, sha256=entry.sha256, name=entry.name, card=card, now=at)
        workers.register(session, name=pipeline.name, engine=predictor.engine, model_sha256=entry.sha256, now=at)
    log.info("worker_ready", model=entry.name, sha256=entry.sha256[:12], engine=predictor.engine)


def _keep_our_logging(**_: Any) -> None:
    """A receiver of this signal is what stops Celery from configuring logging over ours."""


def _check_shape(sender: str, instance: Any, conf: Any, **_: Any) -> None:
    """A pool of processes hangs once torch has run in the parent; two threads would share one model."""
    if instance.concurrency != 1 or conf.worker_prefetch_multiplier != 1 or "thread" not in str(instance.pool_cls):
        raise ConfigurationError("A worker runs one thread and prefetches one message; start more processes instead.")
