"""Images in the database and in the blob store, as an upload leaves them; models; a blob store that is away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from core.engines import EngineName
from db import jobs
from db.jobs import NewImage
from db.session import now
from db.states import Priority
from db.tables import Image, Worker
from model.loaded import LoadedModel
from model.registry import DEFAULT, Entry
from services.deployments import Deployments
from tests.testing import factories
from tests.testing.fakes import FakeEngine, fake_model
from web.backends import Backends
from worker import outage

Submit = Callable[..., list[int]]
Away = Callable[[], AbstractContextManager[Path]]


@pytest.fixture
def submit(backends: Backends) -> Submit:
    """`submit(data, …, priority=)`: store each, make one job of them, publish nothing; the ids of the images."""
    with backends.database.begin() as session:
        owner = factories.user(session, "submitter")

    def _submit(*data: bytes, priority: Priority = Priority.BULK) -> list[int]:
        new: list[NewImage] = []
        for number, content in enumerate(data):
            spool = backends.store.spool(10_000_000)
            spool.write(content)
            new.append(NewImage(f"patient-{number}.png", backends.store.put(spool), "image/png", len(content), 9, 9))
        with backends.database.begin() as session:
            job = factories.job(session, owner, priority=priority)
            return [image.id for image in jobs.add_images(session, job, new, now(session))]

    return _submit


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "PAUSE_S", 0.01)
    monkeypatch.setattr(outage, "CHECKED_EVERY_S", 0.0)


@pytest.fixture
def away(backends: Backends) -> Away:
    """`with away() as elsewhere:` the folder is not mounted: its mount point is empty, its files are elsewhere."""
    root = backends.settings.storage.blobs
    aside = root.with_name("mounted elsewhere")

    @contextmanager
    def unmounted() -> Iterator[Path]:
        root.rename(aside)
        root.mkdir()
        try:
            yield aside
        finally:
            root.rmdir()  # fails if anything was written there
            aside.rename(root)

    return unmounted


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models are loaded without their network; the hashes in the order in which that happened."""
    made: list[str] = []

    def load(entry: Entry, _engine: EngineName) -> LoadedModel:
        made.append(entry.sha256)
        return fake_model(FakeEngine(), name=entry.name, sha256=entry.sha256)

    monkeypatch.setattr("worker.deployed_model.loaded.load", load)
    return made


@pytest.fixture
def service(backends: Backends) -> Deployments:
    return Deployments(backends.database, backends.store)


@pytest.fixture
def other(service: Deployments, tmp_path: Path) -> str:
    """A checkpoint that is in the store and not deployed: one bit of one weight is another."""
    path = tmp_path / "other.safetensors"
    shutil.copyfile(DEFAULT, path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    return service.import_(path).sha256


def listed(backends: Backends) -> Worker:
    """The row of the only worker."""
    with backends.database.read() as session:
        return session.scalars(select(Worker)).one()


def rows(backends: Backends) -> Sequence[Image]:
    """Every image with its predictions, by id."""
    with backends.database.read() as session:
        return session.scalars(select(Image).options(selectinload(Image.predictions)).order_by(Image.id)).all()


def states(backends: Backends) -> list[str]:
    return [str(row.state) for row in rows(backends)]


def pngs(count: int, *, brightness: float = 0.4, first_seed: int = 0) -> list[bytes]:
    return [factories.png(first_seed + number, brightness=brightness, size_px=(24, 20)) for number in range(count)]
