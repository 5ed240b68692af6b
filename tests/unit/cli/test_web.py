"""How the web process, the worker and the sweeper are started."""

from __future__ import annotations

import pytest

from core.settings import Settings
from launcher import lifeline
from tests.unit.cli.conftest import Invoke


def test_web_is_served_with_the_settings(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Settings, object]] = []
    monkeypatch.setattr("web.server.serve.serve", lambda settings, when_ready: served.append((settings, when_ready)))
    monkeypatch.setenv("PNEUMOSCREEN_WEB_PORT", "8123")
    monkeypatch.setenv("PNEUMOSCREEN_SECRET_KEY", "a secret for the tests")

    assert invoke("web").exit_code == 0
    ((settings, when_ready),) = served
    assert (settings.web.port, when_ready) == (8123, lifeline.watch_from_environment)


def test_the_workers_status_is_the_commands(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.app.run", lambda settings: settings.worker.batch_size)
    monkeypatch.setenv("PNEUMOSCREEN_BATCH_SIZE", "9")

    assert invoke("worker").exit_code == 9


def test_the_sweeper_runs_with_the_settings(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[float] = []
    monkeypatch.setattr("worker.sweeper.run", lambda settings: ran.append(settings.queue.sweep_interval_s))

    assert invoke("sweeper").exit_code == 0
    assert ran == [1.0]


def test_without_a_key_it_ends_before_it_serves(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gunicorn.app.base.BaseApplication.run", lambda _: pytest.fail("served without a key"))

    result = invoke("web")

    assert result.exit_code == 2
    assert result.stderr.startswith("pneumoscreen: Set PNEUMOSCREEN_SECRET_KEY or ")
