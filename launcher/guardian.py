"""Runs one program that cannot watch the launcher's lifeline itself: `python -m launcher.guardian -- valkey-server …`.

SIGTERM, SIGINT and the end of the lifeline all become SIGTERM for the program; the guardian ends when it ends, with
its exit status. On Linux the kernel also ends the program if the guardian itself is killed with -9.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from launcher import lifeline

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal a process gets when its parent dies; see prctl(2)."""


def run(command: Sequence[str]) -> int:
    """Run `command` to its end. Returns its status as shells do: 128 + signal if one killed it.

    Raises:
        OSError: the program cannot be started.
    """
    # Blocked from here on and taken one by one, so that none can arrive between a check and the wait that follows it.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.signal(signal.SIGCHLD, _nothing)  # one without a handler may be dropped rather than held back
    try:
        child = subprocess.Popen(command, preexec_fn=_ChildSetup(os.getpid(), signals))
        lifeline.watch_from_environment()
        while child.poll() is None:
            if signal.sigwait(signals) != signal.SIGCHLD:
                child.terminate()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler for a signal that is only waited for."""


class _ChildSetup:
    """Ties the program to its guardian, between fork and exec. All that imports or allocates is done before."""

    def __init__(self, guardian_pid: int, blocked: set[signal.Signals]) -> None:
        self.guardian_pid = guardian_pid
        self.blocked = blocked
        self.prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def __call__(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.blocked)
        if self.prctl is not None:
            self.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != self.guardian_pid:  # it died before prctl took effect
                os._exit(1)


def main(arguments: Sequence[str]) -> int:
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        print("usage: python -m launcher.guardian -- PROGRAM [ARGUMENT...]", file=sys.stderr)
        return 2
    try:
        return run(command)
    except OSError as error:
        print(f"Cannot start {command[0]}: {error.strerror}.", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
