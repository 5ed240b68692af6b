"""The embedded service: a real launcher, Valkey and database, with small stand-ins for web and worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from launcher import address, children, datadir, readiness
from launcher.embedded import EmbeddedService
from launcher.stop_request import StopRequest
from launcher.supervisor import Spec

WEB = """
import http.server, json, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({"workers": int(os.path.exists(sys.argv[1]))}).encode())
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: (print("web stops"), os._exit(0)))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PNEUMOSCREEN_WEB_PORT"])), Handler).serve_forever()
"""
WORKER = "import pathlib, sys, time; time.sleep(0.3); pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


def small_children(worker: str) -> object:
    def specs(env: Mapping[str, str], data_dir: Path, _workers: int) -> list[Spec]:
        marker = str(data_dir / "model-is-loaded")
        return [
            Spec(name, [sys.executable, "-c", code, marker], env, data_dir / "logs" / f"{name}.log", 5)
            for name, code in (("web", WEB), ("worker", worker))
        ]

    return specs


class Run:
    """A launcher in a thread, so that the test can watch and stop it."""

    def __init__(self, data_dir: Path) -> None:
        path = datadir.prepare(data_dir)
        self.stop = StopRequest()
        self.lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT)
        port = address.reserve("127.0.0.1", 0)
        self.launcher = EmbeddedService(path, "127.0.0.1", port, 1, stop=self.stop, lock_fd=self.lock_fd, say=say)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.launcher.run()
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        self.stop.count += 1
        self.thread.join(120)
        os.close(self.lock_fd)
        assert not self.thread.is_alive()


def say(line: str, *, err: bool = False) -> None:
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


def wait_for(capsys: pytest.CaptureFixture[str], text: str, so_far: str = "") -> str:
    deadline_s = time.monotonic() + 120
    while text not in so_far:
        assert time.monotonic() < deadline_s, f"{text!r} never came: {so_far}"
        time.sleep(0.05)
        so_far += capsys.readouterr().out
    return so_far


def test_from_nothing_to_ready_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "specs", small_children(WORKER))
    run = Run(tmp_path / "data")
    run.thread.start()

    out = wait_for(capsys, "Ctrl-C stops it")
    run.finish()
    out += capsys.readouterr().out

    assert run.error is None
    assert [line for line in out.splitlines() if line.startswith("ready: ")] == [f"ready: {run.launcher.url}"]
    password = (tmp_path / "data" / "admin-password").read_text().strip()
    assert f"admin-password: {password}\n" in out
    assert out.endswith("stopped\n")
    assert (tmp_path / "data" / "logs" / "web.log").read_text() == "web stops\n"
    assert (tmp_path / "data" / "secret-key").exists()
    assert not (tmp_path / "data" / "valkey" / "valkey.sock").exists()


def test_a_second_start_goes_on_and_keeps_the_password_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "specs", small_children(WORKER))
    outputs = []
    for _ in range(2):
        run = Run(tmp_path / "data")
        run.thread.start()
        outputs.append(wait_for(capsys, "Ctrl-C stops it"))
        run.finish()
        capsys.readouterr()

    password = (tmp_path / "data" / "admin-password").read_text().strip()
    assert [password in output for output in outputs] == [True, False]


def test_a_worker_that_cannot_start_ends_it_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "import sys; print('pneumoscreen: The model is missing.'); sys.exit(2)"
    monkeypatch.setattr(children, "specs", small_children(broken))
    run = Run(tmp_path / "data")
    run.thread.start()
    run.thread.join(120)

    assert isinstance(run.error, ConfigurationError)
    assert run.error.message == "The model is missing."
    out = capsys.readouterr().out
    assert "ready" not in out
    assert out.endswith("stopped\n")
    run.finish()


def test_it_can_be_stopped_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    never_ready = "import time; time.sleep(600)"
    monkeypatch.setattr(children, "specs", small_children(never_ready))
    run = Run(tmp_path / "data")
    run.thread.start()

    out = wait_for(capsys, "starting:")
    run.finish()

    assert run.error is None
    assert "ready" not in out + capsys.readouterr().out


def test_what_it_waits_for_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(readiness, "TELL_EVERY_S", 0.2)
    monkeypatch.setattr(children, "specs", small_children("import time; time.sleep(60)"))
    run = Run(tmp_path / "data")
    run.thread.start()
    told = ""
    deadline_s = time.monotonic() + 30
    while "web answers, but does not reach the database and the queue, worker loads its model" not in told:
        assert time.monotonic() < deadline_s, told
        time.sleep(0.05)
        told += capfd.readouterr().err
    run.finish()

    assert f"logs: {tmp_path / 'data' / 'logs'}\n" in told


def test_signals_are_counted_and_given_back() -> None:
    stop = StopRequest()
    before = signal.getsignal(signal.SIGTERM)

    with stop.installed():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    assert stop
    assert stop.count == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_nobody_is_ready_at_a_closed_port() -> None:
    assert readiness.ask("http://127.0.0.1:9") == readiness.Seen(web=False)
