"""The worker process: one model, one thread that screens, and Celery, which wakes it. One process a GPU."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from functools import partial
from typing import Any

import structlog
from celery import Celery
from celery.apps import worker as celery_program
from celery.signals import setup_logging, worker_shutting_down

from core import logs
from core.errors import ConfigurationError, ModelInvalid
from core.queue import QUEUES, make_celery
from core.settings import Settings
from db import deployments, workers
from db.limits import within
from db.session import Database
from model import engines, registry
from services import models_folder
from storage.open import open_store
from worker.deployed_model import DeployedModel
from worker.heartbeat import Heartbeat
from worker.pipeline import Pipeline
from worker.screener import Screener
from worker.shutdown import Shutdown
from worker.tasks import register

RELEASE_WITHIN_S = 2.0
"""For handing back what is leased, at the end; it is a courtesy, for leases run out by themselves."""

log = structlog.get_logger()


def run(settings: Settings) -> int:
    """Serve until SIGTERM; the batch in work is finished. Returns the exit status.

    Raises:
        ConfigurationError: the engine of the settings cannot run here, or the model in use was not taken over from the
            release before; nothing has been claimed.
    """
    name = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(2)}"
    logs.configure(settings, "worker", worker=name)
    _require_engine(settings)
    database, store = Database(settings.storage.database), open_store(settings)
    deployed = DeployedModel(database, store, settings.worker.engine)
    pipeline = Pipeline(settings, database, store, deployed.load, name, deployed)
    heartbeat = Heartbeat(settings, database, pipeline)

    prepare = partial(_prepare, settings, database, pipeline, heartbeat)
    screener = Screener(pipeline, prepare, settings.worker.idle_check_s)

    def close() -> None:
        screener.stop()
        heartbeat.stop()
        with within(RELEASE_WITHIN_S):
            pipeline.close()
            with database.begin() as session:
                workers.leave(session, name=name)

    app = make_celery(settings, consumer=True)
    register(app, screener)
    shutdown = Shutdown(close)
    signal.signal(signal.SIGTERM, lambda *_: shutdown.begin())  # until Celery, which starts later, installs its own
    screener.start()
    try:
        return _serve(app, name, shutdown)
    finally:
        shutdown.finish()


def _require_engine(settings: Settings) -> None:
    """Find out whether the engine of the settings can run on this machine, before anything is opened.

    Raises:
        ConfigurationError: it cannot, or the shipped model is damaged: starting again would not help.
    """
    try:
        engines.check(registry.shipped(), settings.worker.engine)
    except ModelInvalid as error:
        raise ConfigurationError(error.message) from error


def _prepare(settings: Settings, database: Database, pipeline: Pipeline, heartbeat: Heartbeat) -> None:
    """Load the first model and tell the database which one it is; or, if it is to end meanwhile, do nothing more."""
    _require_choice_taken_over(settings, database)
    heartbeat.start()
    if pipeline.load_model():
        heartbeat.beat()  # at once, since `up` waits for it
        model = pipeline.model
        log.info("worker_ready", model=model.name, sha256=model.sha256[:12], engine=model.engine.name)


def _require_choice_taken_over(settings: Settings, database: Database) -> None:
    """See to it that no other model screens than the one that was chosen under the release before.

    Raises:
        ConfigurationError: the file with the choice is there, and nothing was ever deployed.
    """
    folder = settings.storage.models
    chosen = models_folder.chosen_sha256(folder)
    if chosen is None:
        return
    with database.read() as session:
        if not deployments.any_ever(session):
            raise ConfigurationError(
                f"{folder / models_folder.ACTIVE} names the model {chosen[:12]}, which was not taken over yet: run "
                "`pneumoscreen db upgrade` where it can write to that folder."
            )


def _serve(app: Celery, name: str, shutdown: Shutdown) -> int:
    """Run Celery's own worker in this thread; it installs the signal handlers, and waits for its broker if it must."""

    def on_shutting_down(**_: Any) -> None:
        shutdown.begin()

    setup_logging.connect(_keep_our_logging, weak=False)
    worker_shutting_down.connect(on_shutting_down, weak=False)
    celery_program.safe_say = lambda message, *_: log.info("celery_says", message=message)  # it would print
    worker = _make_worker(app, name)
    worker.start()
    return int(worker.exitcode or 0)


def _keep_our_logging(**_: Any) -> None:
    """A receiver of this signal is what stops Celery from configuring logging over ours."""


def _make_worker(app: Celery, name: str) -> Any:
    """Celery's worker, with one thread and no message in advance.

    A pool of processes hangs once torch has run in the parent, and two threads would share one model. The check stands
    here and not in a receiver of Celery's signals: Celery logs what a receiver raises, and goes on.

    Raises:
        RuntimeError: a change of our code or of Celery made it another one.
    """
    worker = app.Worker(
        hostname=f"pneumoscreen@{name}",
        pool="threads",
        concurrency=1,
        queues=",".join(QUEUES),
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    pool, prefetch = str(worker.pool_cls), app.conf.worker_prefetch_multiplier
    if worker.concurrency != 1 or prefetch != 1 or "thread" not in pool:
        raise RuntimeError(
            "A worker must run one thread and prefetch one message; "
            f"this one has the pool {pool}, concurrency {worker.concurrency} and prefetch {prefetch}."
        )
    return worker
