"""`pneumoscreen worker` with moments at which a row may order a fault; FAULT_REAL_MODEL gives it the real network.

Everything else is the real thing: Celery, pipeline, heartbeat, registry, database, blob store, decoder.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from core import settings
from core.engines import EngineName
from core.errors import OutOfMemory
from db.tables import Prediction
from launcher import lifeline
from model import loaded
from model.engines import Engine
from model.loaded import LoadedModel
from model.output import NetworkOutput
from model.registry import Entry
from storage.local import LocalBlobStore
from tests.faults import clock, points
from tests.testing.fakes import FakeEngine, Floats, fake_model
from worker import app
from worker.pipeline import Pipeline

KILLS = b"this image kills the process that decodes it"
CRASHES = b"this image makes the decoder raise what nobody expects"
"""Behind the end of a PNG, where no decoder looks."""

load_model = loaded.load


class FailingFile(io.BytesIO):
    """A file on a disk with a bad sector."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


class Store(LocalBlobStore):
    def open(self, sha256: str) -> BinaryIO:
        points.reached("decoding")
        if points.active("read_errors"):
            return FailingFile()
        with super().open(sha256) as blob:
            data = blob.read()
        if data.endswith(KILLS):
            os.killpg(os.getpgrp(), points.ACTIONS["kill"])
        if data.endswith(CRASHES):
            raise RuntimeError("the decoder's own bug")
        return io.BytesIO(data)


class WatchedEngine:
    """An engine that passes the moment `forward`, and has little memory when that is ordered."""

    def __init__(self, engine: Engine, forward_s: float) -> None:
        self.name = engine.name
        self.batch_size = engine.batch_size
        self._engine = engine
        self._forward_s = forward_s

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        points.reached("forward")
        if points.active("out_of_memory") and len(pixels) > 1:
            raise OutOfMemory(f"A batch of {len(pixels)} images does not fit into memory.")
        time.sleep(self._forward_s)
        return self._engine.forward(pixels)


class WatchedPipeline(Pipeline):
    def drain(self) -> int:
        points.reached("receiving")
        screened = super().drain()
        if screened:
            points.reached("before_ack")
        return screened


def load(source: Entry, engine: EngineName) -> LoadedModel:
    if os.environ.get("FAULT_REAL_MODEL"):
        model = load_model(source, engine)
        return replace(model, engine=WatchedEngine(model.engine, 0.0))
    watched = WatchedEngine(FakeEngine(), float(os.environ["FAULT_FORWARD_S"]))
    return fake_model(watched, name=source.name, sha256=source.sha256)


def watch_commits() -> None:
    """Pass the moments around the commit that makes a batch `done`."""

    @event.listens_for(Session, "do_orm_execute")
    def note(state: ORMExecuteState) -> None:
        if state.is_insert and state.bind_mapper is Prediction.__mapper__:
            state.session.info["finishing"] = True

    @event.listens_for(Session, "before_commit")
    def before(session: Session) -> None:
        if session.info.get("finishing"):
            points.reached("before_commit")

    @event.listens_for(Session, "after_commit")
    def after(session: Session) -> None:
        if session.info.pop("finishing", False):
            points.reached("after_commit")


if __name__ == "__main__":
    lifeline.watch_from_environment()
    clock.install()
    vars(app)["open_store"] = lambda configured: Store(configured.storage.blobs)
    vars(app)["Pipeline"] = WatchedPipeline
    vars(loaded)["load"] = load
    watch_commits()
    sys.exit(app.run(settings.load()))
