"""The embedded Valkey: a real one, started and stopped."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from core.errors import ConfigurationError
from launcher import valkey
from launcher.supervisor import ChildFailed, Supervisor


class Server:
    """An embedded server below `data_dir`, under a supervisor of its own."""

    def __init__(self, data_dir: Path) -> None:
        (data_dir / "logs").mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.socket = valkey.choose_socket(data_dir)
        self.supervisor = Supervisor(notify=print)

    def start(self) -> redis.Redis:
        spec = valkey.spec(valkey.find_server(), self.data_dir, self.socket, os.environ)
        self.supervisor.start(spec)
        valkey.wait_until_up(self.socket, log_path=spec.log_path, check=self.supervisor.check)
        return redis.Redis(unix_socket_path=str(self.socket))

    def stop(self) -> None:
        self.supervisor.stop(["valkey"])
        valkey.remove_socket(self.socket, self.data_dir)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "d")
    yield made
    made.stop()


def test_it_starts_private_and_durable(server: Server) -> None:
    with server.start() as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}

    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "valkey").stat().st_mode) == 0o700


def test_what_it_held_survives_a_stop(server: Server) -> None:
    with server.start() as client:
        client.rpush("bulk", "1", "2")
    server.stop()
    assert not server.socket.exists()

    with server.start() as client:
        assert client.lrange("bulk", 0, -1) == [b"1", b"2"]


def test_a_server_left_behind_is_stopped_before_another_starts(server: Server) -> None:
    with server.start() as client:
        first = client.info("server")["process_id"]

    other = Server(server.data_dir)
    with other.start() as client:
        assert client.info("server")["process_id"] != first
    other.stop()

    process = server.supervisor.children["valkey"].process
    assert process is not None
    assert process.wait(5) == 0


def test_nobody_left_behind(tmp_path: Path) -> None:
    valkey.stop_leftover(tmp_path / "none.sock")

    (tmp_path / "stale.sock").touch()
    valkey.stop_leftover(tmp_path / "stale.sock")

    assert not valkey.answers(tmp_path / "stale.sock")


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("out of memory\n")

    with pytest.raises(ChildFailed, match=r"did not answer within 0\.1 s(?s:.*)out of memory"):
        valkey.wait_until_up(tmp_path / "none.sock", log_path=log, check=lambda: None, timeout_s=0.1)


def test_a_death_during_the_start_is_seen_by_check(tmp_path: Path) -> None:
    def died() -> None:
        raise ChildFailed("valkey ended")

    with pytest.raises(ChildFailed, match="valkey ended"):
        valkey.wait_until_up(tmp_path / "none.sock", log_path=tmp_path / "log", check=died)


def test_a_configured_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = valkey.find_server()
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert valkey.find_server() == program
    assert bundled.name in ("valkey-server", "redis-server")


def test_a_platform_without_any_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("platform.machine", lambda: "s390x")

    with pytest.raises(ConfigurationError, match=r"install valkey or redis, or set PNEUMOSCREEN_REDIS_URL"):
        valkey.find_server()


def test_the_socket_is_in_the_data_directory() -> None:
    assert valkey.choose_socket(Path("/srv/pneumoscreen")) == Path("/srv/pneumoscreen/valkey/valkey.sock")
    assert valkey.url(Path("/srv/v.sock")) == "redis+socket:///srv/v.sock"


@pytest.mark.parametrize("name", ["x" * 120, "with space", "100%", "quer?y"])
def test_a_path_that_no_socket_or_url_can_have(tmp_path: Path, name: str) -> None:
    socket = valkey.choose_socket(tmp_path / name)

    assert socket.parent.parent == Path("/tmp")
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700

    valkey.remove_socket(socket, tmp_path / name)
    assert not socket.parent.exists()
