"""How the web process, the worker and the sweeper are started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gunicorn.config import Config

from cli import web
from core.settings import Settings
from launcher import lifeline
from tests.testing.settings import make_settings
from tests.unit.cli.conftest import Invoke
from web.server.worker import Worker


def test_gunicorn_knows_every_option(settings: Settings) -> None:
    config = Config()

    for name, value in web.options(settings).items():
        config.set(name, value)

    assert config.address == [("127.0.0.1", 8000)]
    assert issubclass(config.worker_class, Worker)


def test_settings_reach_gunicorn(tmp_path: Path) -> None:
    options = web.options(make_settings(data_dir=tmp_path, web_host="::1", web_port=81, web_processes=3))

    assert (options["bind"], options["workers"]) == ("[::1]:81", 3)


def test_gunicorn_keeps_our_umask(settings: Settings) -> None:
    before = os.umask(0o027)
    try:
        assert web.options(settings)["umask"] == 0o027
        assert os.umask(0o027) == 0o027, "asking does not change it"
    finally:
        os.umask(before)


def test_only_the_master_watches_the_lifeline(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_wait", lambda *_: None)  # a real one would outlive this test
    read_fd, write_fd = os.pipe()
    monkeypatch.setenv(lifeline.VARIABLE, str(read_fd))

    web.options(settings)["when_ready"](None).join(5)

    assert lifeline.VARIABLE not in os.environ
    assert not os.get_inheritable(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_web_is_served_with_the_settings(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("cli.web.serve", served.append)
    monkeypatch.setenv("PNEUMOSCREEN_WEB_PORT", "8123")
    monkeypatch.setenv("PNEUMOSCREEN_SECRET_KEY", "a secret for the tests")

    assert invoke("web").exit_code == 0
    assert [settings.web.port for settings in served] == [8123]


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
    monkeypatch.setattr("cli.web.serve", lambda _settings: pytest.fail("served without a key"))

    result = invoke("web")

    assert result.exit_code == 2
    assert result.stderr.startswith("pneumoscreen: Set PNEUMOSCREEN_SECRET_KEY or ")
