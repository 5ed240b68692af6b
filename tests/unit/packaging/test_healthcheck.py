"""docker/healthcheck.py, against a real HTTP server and a real (SQLite) database."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from db import workers
from db.session import Database
from db.tables import Base


@pytest.fixture(scope="module")
def healthcheck(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "docker/healthcheck.py"))


@contextmanager
def server(status: int) -> Iterator[int]:
    """A server that answers `/healthz` with `status`, anything else with 404; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http.server_port
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def add_worker(database_url: str) -> Iterator[Callable[[str, float], None]]:
    database = Database(database_url)
    Base.metadata.create_all(database.engine)

    def add(name: str, silent_s: float) -> None:
        seen = datetime.now(UTC) - timedelta(seconds=silent_s)
        with database.begin() as session:
            workers.register_model(session, sha256="0" * 64, name="m", card={}, now=seen)
            workers.register(session, name=name, engine="torch-cpu", model_sha256="0" * 64, now=seen)

    yield add
    database.dispose()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (500, False)])
def test_web_is_as_healthy_as_it_says(healthcheck: dict[str, Any], status: int, healthy: bool) -> None:
    with server(status) as port:
        assert healthcheck["web_is_healthy"](port) is healthy


def test_web_that_does_not_listen_is_not_healthy(healthcheck: dict[str, Any]) -> None:
    with server(200) as port:
        pass

    assert healthcheck["web_is_healthy"](port) is False


def test_worker_is_healthy_while_its_heart_beats(
    healthcheck: dict[str, Any], database_url: str, add_worker: Callable[[str, float], None]
) -> None:
    add_worker("4f1c:1:ab", 1)

    assert healthcheck["worker_is_healthy"](database_url, "4f1c") is True


@pytest.mark.parametrize(("name", "silent_s"), [("4f1c:1:ab", 60), ("other:1:ab", 1), ("4f1c2:1:ab", 1)])
def test_worker_is_not_healthy_for_another_or_a_silent_one(
    healthcheck: dict[str, Any],
    database_url: str,
    add_worker: Callable[[str, float], None],
    name: str,
    silent_s: float,
) -> None:
    add_worker(name, silent_s)

    assert healthcheck["worker_is_healthy"](database_url, "4f1c") is False


def test_exit_status_is_what_docker_reads(healthcheck: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with server(200) as port:
        monkeypatch.setenv("PNEUMOSCREEN_WEB_PORT", str(port))
        assert healthcheck["main"](["web"]) == 0
    assert healthcheck["main"](["web"]) == 1


def test_unknown_part_is_a_usage_error(healthcheck: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck["main"](["database"]) == 2
    assert "usage" in capsys.readouterr().err
