"""Children end with their launcher, even a killed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from launcher import lifeline

CHILD = (
    "import signal, sys, time; from launcher import lifeline\n"
    "if sys.argv[1] == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "lifeline.GRACE_S = 0.2\n"
    "import os; fd = int(os.environ.pop(lifeline.VARIABLE)); lifeline.watch(fd, grace_s=0.2)\n"
    "print('up', flush=True); time.sleep(600)\n"
)
LAUNCHER = (
    "import os, subprocess, sys, time\n"
    "read_fd, write_fd = os.pipe()\n"
    "env = os.environ | {'PNEUMOSCREEN_LIFELINE_FD': str(read_fd)}\n"
    "children = [subprocess.Popen([sys.executable, '-c', sys.argv[1], 'polite'], env=env, pass_fds=[read_fd],\n"
    "            start_new_session=True, stdout=subprocess.PIPE) for _ in range(2)]\n"
    "for child in children: child.stdout.readline()\n"
    "print(*(child.pid for child in children), flush=True); time.sleep(600)\n"
)


def start_child(kind: str) -> tuple[subprocess.Popen[str], int]:
    read_fd, write_fd = os.pipe()
    env = os.environ | {lifeline.VARIABLE: str(read_fd)}
    command = [sys.executable, "-c", CHILD, kind]
    child = subprocess.Popen(command, env=env, pass_fds=[read_fd], stdout=subprocess.PIPE, text=True)
    os.close(read_fd)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child, write_fd


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}").exists() or "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def wait_until_gone(pid: int, timeout_s: float = 120) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize(("kind", "status"), [("polite", -signal.SIGTERM), ("deaf", 1)])
def test_a_closed_lifeline_ends_the_process(kind: str, status: int) -> None:
    child, write_fd = start_child(kind)

    os.close(write_fd)

    child.communicate(timeout=120)
    assert child.returncode == status


def test_an_open_lifeline_does_nothing() -> None:
    child, write_fd = start_child("polite")

    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)

    os.close(write_fd)
    child.communicate(timeout=120)


def test_killing_the_launcher_leaves_no_child() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, CHILD], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    pids = [int(pid) for pid in launcher.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(alive, pids))

    launcher.kill()
    launcher.communicate()

    assert all(map(wait_until_gone, pids))


def test_without_a_launcher_nothing_is_watched() -> None:
    assert lifeline.watch_from_environment({}) is None


def test_the_variable_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(lifeline, "_wait", lambda fd, *_: ended.append(fd))  # a real one would outlive this test
    read_fd, write_fd = os.pipe()
    environ = {lifeline.VARIABLE: str(read_fd), "OTHER": "x"}

    thread = lifeline.watch_from_environment(environ)

    assert isinstance(thread, threading.Thread)
    assert thread.daemon
    thread.join(5)
    assert ended == [read_fd]
    assert environ == {"OTHER": "x"}
    assert not os.get_inheritable(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_what_to_do_first_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("os._exit", lambda status: done.append(f"exit {status}"))
    read_fd, write_fd = os.pipe()

    thread = lifeline.watch(read_fd, grace_s=0, stop=lambda: done.append("stop"))
    os.close(write_fd)
    thread.join(5)
    os.close(read_fd)

    assert done == ["stop", "exit 1"]
