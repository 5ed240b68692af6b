"""How gunicorn is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gunicorn.config import Config

from core.settings import Settings
from launcher import lifeline
from tests.testing.settings import make_settings
from web.server.serve import options
from web.server.worker import Worker


def nothing() -> None:
    pass


def test_gunicorn_knows_every_option(settings: Settings) -> None:
    config = Config()

    for name, value in options(settings, nothing).items():
        config.set(name, value)

    assert config.address == [("127.0.0.1", 8000)]
    assert issubclass(config.worker_class, Worker)


def test_settings_reach_gunicorn(tmp_path: Path) -> None:
    made = options(make_settings(data_dir=tmp_path, web_host="::1", web_port=81, web_processes=3), nothing)

    assert (made["bind"], made["workers"]) == ("[::1]:81", 3)


def test_gunicorn_keeps_our_umask(settings: Settings) -> None:
    before = os.umask(0o027)
    try:
        assert options(settings, nothing)["umask"] == 0o027
        assert os.umask(0o027) == 0o027, "asking does not change it"
    finally:
        os.umask(before)


def test_only_the_master_watches_the_lifeline(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_wait", lambda *_: None)  # a real one would outlive this test
    read_fd, write_fd = os.pipe()
    monkeypatch.setenv(lifeline.VARIABLE, str(read_fd))

    options(settings, lifeline.watch_from_environment)["when_ready"](None).join(5)

    assert lifeline.VARIABLE not in os.environ
    assert not os.get_inheritable(read_fd)
    os.close(read_fd)
    os.close(write_fd)
