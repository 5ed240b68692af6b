"""A worker that is told to stop ends: in order, or at its time whatever hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from tests.testing.paths import REPOSITORY
from worker.shutdown import Shutdown


def test_it_closes_once_and_finish_waits_for_it() -> None:
    closed: list[str] = []
    gate = threading.Event()

    def close() -> None:
        gate.wait(20)
        closed.append(threading.current_thread().name)

    shutdown = Shutdown(close)
    shutdown.begin()
    threading.Timer(0.1, gate.set).start()
    shutdown.finish()
    shutdown.finish()
    assert closed == ["shutdown"]


def test_a_database_that_is_away_is_no_reason_to_stay() -> None:
    def close() -> None:
        raise OperationalError("UPDATE", {}, Exception("gone"))

    Shutdown(close).finish()


HANGING_BROKER = """
import time
from worker.shutdown import Shutdown
Shutdown(lambda: print("closed", flush=True)).begin()
time.sleep(600)
"""

HANGING_DATABASE = """
import time
from worker import shutdown
shutdown.STOP_WITHIN_S = 0.5
shutdown.Shutdown(lambda: time.sleep(600)).finish()
"""


@pytest.mark.parametrize(("program", "status"), [(HANGING_BROKER, 0), (HANGING_DATABASE, 1)])
def test_the_process_ends_whatever_hangs(program: str, status: int) -> None:
    started_at_s = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env=os.environ, timeout=120, check=False)
    assert ended.returncode == status
    assert time.monotonic() - started_at_s < 100
