"""The application with a real database and blob store, and a broker that is a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from core.settings import Settings
from db import stores
from db.session import Database
from db.states import Role
from services.caller import Caller
from services.files import IncomingFile
from services.ingest import Ingest
from services.jobs import Jobs
from services.spools import Spools
from storage.local import LocalBlobStore
from tests.testing import factories

MakeFile = Callable[..., IncomingFile]


class FakePublisher:
    """Takes every message, unless it is `down`."""

    def __init__(self) -> None:
        self.published: list[tuple[int, str]] = []
        self.down = False

    def publish(self, image_ids: Sequence[int], queue: str) -> list[int]:
        if self.down:
            return []
        self.published += [(image_id, str(queue)) for image_id in image_ids]
        return list(image_ids)


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def store(settings: Settings, database: Database) -> Iterator[LocalBlobStore]:
    store = LocalBlobStore(settings.storage.blobs)
    stores.adopt(database, store)
    yield store
    for left in settings.storage.blobs.glob("*/*"):
        left.unlink()


@pytest.fixture
def caller(database: Database) -> Caller:
    """The user `ada`, from an address."""
    with database.begin() as session:
        user = factories.user(session)
        return Caller(user.id, user.name, Role(user.role), "10.0.0.7")


@pytest.fixture
def ingest(settings: Settings, database: Database, store: LocalBlobStore, publisher: FakePublisher) -> Ingest:
    return Ingest(settings, database, store, publisher)


@pytest.fixture
def jobs(database: Database, publisher: FakePublisher) -> Jobs:
    return Jobs(database, publisher)


@pytest.fixture
def spools(ingest: Ingest) -> Iterator[Spools]:
    spools = ingest.spools()
    yield spools
    spools.close()


@pytest.fixture
def arrived(spools: Spools) -> MakeFile:
    """`arrived(name, data)`: a file whose bytes have come, as a network process has it."""

    def make(filename: str = "a.png", data: bytes | None = None) -> IncomingFile:
        spool = spools.new()
        spool.write(factories.png() if data is None else data)
        spool.seek(0)
        return IncomingFile(filename, spool)

    return make
