"""Fixtures that every test may use: synthetic radiographs, a database of each kind, the application with fakes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import make_url

from core.queue import make_celery
from core.settings import Settings
from db import migrate, stores
from db.accounts import users
from db.session import Database, now
from storage import marker
from storage.local import LocalBlobStore
from tests.testing import factories, postgres
from tests.testing.fakes import FakeEngine, fake_model
from tests.testing.paths import REPOSITORY
from tests.testing.postgres import PostgresServer
from tests.testing.settings import make_settings
from web.app import create_app
from web.backends import Backends
from worker.pipeline import Pipeline
from worker.tasks import register

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real X-rays, outside the repository. `PNEUMOSCREEN_TEST_DATA` says where."""
    path = Path(os.environ.get("PNEUMOSCREEN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real X-rays at {path}: set PNEUMOSCREEN_TEST_DATA to run this test")
    return path


@pytest.fixture(scope="session")
def blob_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blob store for one test after the other: making and removing its 256 directories would take most of a run."""
    root = tmp_path_factory.mktemp("blobs")
    LocalBlobStore(root).make(marker.new_id())
    return root


@pytest.fixture
def settings(tmp_path: Path, blob_root: Path) -> Settings:
    key = SecretStr("a secret for the tests")
    return make_settings(data_dir=tmp_path / "data", blob_dir=blob_root, secret_key=key, batch_size=4)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to copy: migrating anew takes ten times as long."""
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: PostgresServer) -> str:
    """The name of a PostgreSQL database with all tables, to copy."""
    url = postgresql.new_database()
    migrate.upgrade(url)
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table; a test that uses it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database without a row; a test that uses it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    template: str = request.getfixturevalue("migrated_postgresql")
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.database(template) as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def _quick_password_hashes() -> Iterator[None]:
    """Argon2 at its least costly: what makes a hash slow to guess makes a test slow to run."""
    with pytest.MonkeyPatch.context() as patch:
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(users, "_hasher", hasher)
        patch.setattr(users, "_NO_SUCH_USER", hasher.hash("nobody's"))
        yield


@pytest.fixture(autouse=True)
def _a_busy_machine_is_no_part_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.storage.LIMIT_S", 60.0)
    monkeypatch.setattr("web.health.service_health.LIMIT_S", 60.0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own, started once."""
    with postgres.serve() as server:
        yield server


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def backends(settings: Settings, migrated_sqlite: Path) -> Iterator[Backends]:
    """SQLite, a blob store in a temporary directory, fakeredis, and a Celery that only queues into memory."""
    settings.storage.data_dir.mkdir()
    shutil.copy(migrated_sqlite, settings.storage.data_dir / "pneumoscreen.db")
    database = Database(settings.storage.database)
    with database.begin() as session:
        factories.model(session)
    store = LocalBlobStore(settings.storage.blobs)
    stores.adopt(database, store)
    yield Backends(
        settings=settings,
        database=database,
        store=store,
        celery=make_celery(settings, broker_url="memory://"),
        broker=fakeredis.FakeRedis(),
    )
    database.dispose()
    for left in settings.storage.blobs.glob("*/*"):
        left.unlink()


@pytest.fixture
def pipeline(backends: Backends, engine: FakeEngine) -> Iterator[Pipeline]:
    pipeline = Pipeline(backends.settings, backends.database, backends.store, lambda: fake_model(engine), "test-worker")
    yield pipeline
    pipeline.close()


@pytest.fixture
def eager(backends: Backends, pipeline: Pipeline) -> Backends:
    """The same backends with a Celery that runs the worker's task in place."""
    backends.celery.conf.update(task_always_eager=True, task_eager_propagates=True)
    register(backends.celery, pipeline)
    return backends


@pytest.fixture
def app(backends: Backends) -> Flask:
    app = create_app(backends.settings, backends)
    app.testing = True
    return app


@pytest.fixture
def token(backends: Backends) -> str:
    """An API token of the admin `ada`, whose password is PASSWORD."""
    with backends.database.begin() as session:
        owner = factories.user(session, password=PASSWORD)
        return users.create_token(session, owner, now=now(session))


@pytest.fixture
def client(app: Flask, token: str) -> FlaskClient:
    """A client that sends the token with every request."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


@pytest.fixture
def browser(app: Flask, token: str) -> FlaskClient:
    """A client with cookies and no token, not yet signed in."""
    return app.test_client()
