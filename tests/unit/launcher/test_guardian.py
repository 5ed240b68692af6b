"""The guardian of a program that knows no lifeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import guardian, lifeline
from tests.unit.launcher.test_lifeline import wait_until_gone

GUARDIAN = [sys.executable, "-m", "launcher.guardian", "--"]
PROGRAM = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def start(program: str = PROGRAM, *, with_lifeline: bool = False) -> tuple[subprocess.Popen[str], int, int]:
    """The guardian, the pid of its program, and the write end of its lifeline (or -1)."""
    read_fd, write_fd = os.pipe() if with_lifeline else (-1, -1)
    env = os.environ | ({lifeline.VARIABLE: str(read_fd)} if with_lifeline else {})
    process = subprocess.Popen(
        [*GUARDIAN, sys.executable, "-c", program],
        env=env,
        pass_fds=[read_fd] if with_lifeline else [],
        stdout=subprocess.PIPE,
        text=True,
    )
    if with_lifeline:
        os.close(read_fd)
    assert process.stdout is not None
    return process, int(process.stdout.readline()), write_fd


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_program(number: signal.Signals) -> None:
    process, pid, _ = start()

    process.send_signal(number)

    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert wait_until_gone(pid)


def test_the_end_of_the_lifeline_stops_the_program() -> None:
    process, pid, write_fd = start(with_lifeline=True)

    os.close(write_fd)

    process.communicate(timeout=120)
    assert wait_until_gone(pid)


def test_it_waits_for_a_program_that_takes_its_time() -> None:
    slow = (
        "import os, signal, sys, time\n"
        "def stop(*_): time.sleep(0.5); sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, stop)\n" + PROGRAM
    )
    process, _, _ = start(slow)

    process.terminate()

    process.communicate(timeout=120)
    assert process.returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_killing_the_guardian_stops_the_program() -> None:
    process, pid, _ = start()

    process.kill()

    process.communicate(timeout=120)
    assert wait_until_gone(pid)


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_its_status_is_that_of_the_program(code: str, status: int) -> None:
    assert subprocess.run([*GUARDIAN, sys.executable, "-c", code], check=False).returncode == status


def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    result = subprocess.run([*GUARDIAN, str(tmp_path / "none")], capture_output=True, text=True, check=False)

    assert result.returncode == 127
    assert result.stderr == f"Cannot start {tmp_path / 'none'}: No such file or directory.\n"


def test_without_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert guardian.main(["--"]) == 2
    assert "usage: python -m launcher.guardian" in capsys.readouterr().err
