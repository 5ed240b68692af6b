"""`pneumoscreen up`: starts, says what is wrong in one sentence, continues where it stopped, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testing import factories
from tests.testing.paths import REPOSITORY
from tests.testing.polling import wait_until
from tests.testing.service import Service, running

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def service(shared_service: Service) -> Service:
    """A running service; started again if the test before has ended it."""
    if shared_service.process is None or shared_service.process.poll() is not None:
        shared_service.start()
    return shared_service


def try_up(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "up", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)


def processes_of(service: Service) -> list[int]:
    """Processes with the service's directory in their command line or environment (Linux), or by `ps`."""
    table = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    lines = [line for line in table.splitlines() if str(service.data_dir) in line and " ps " not in line]
    return [int(line.split()[0]) for line in lines]


def test_a_stopped_service_continues_where_it_stopped(service: Service) -> None:
    job_id = service.upload([(f"{i}.png", factories.png(i)) for i in range(3)])
    service.wait_for_done(job_id, 3)
    token = service.token

    assert service.stop() == 0
    assert processes_of(service) == []
    service.start()

    assert service.token == token
    assert service.job(job_id)["counts"]["done"] == 3


def test_a_back_up_of_a_running_service_starts_elsewhere_with_all_that_it_held(service: Service) -> None:
    job_id = service.upload([(f"{i}.png", factories.png(50 + i)) for i in range(2)])
    service.wait_for_done(job_id, 2)
    with tempfile.TemporaryDirectory(prefix="pns-") as name:
        other = Service(Path(name))
        for data_dir, command in ((service.data_dir, "backup"), (other.data_dir, "restore")):
            run = subprocess.run(
                [sys.executable, "-m", "cli", command, f"{name}/saved.tar"], cwd=REPOSITORY, check=False,
                env=os.environ | {"PNEUMOSCREEN_DATA_DIR": str(data_dir)}, capture_output=True, text=True,
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
        other.start()
        try:
            assert other.token == service.token
            assert other.job(job_id)["counts"]["done"] == 2
            later = other.upload([("later.png", factories.png(60))])
            other.wait_for_done(later, 1)
        finally:
            other.stop()


def test_killing_the_launcher_leaves_no_process_behind(service: Service) -> None:
    assert service.process is not None
    assert len(processes_of(service)) >= 5

    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()

    wait_until(lambda: not processes_of(service), timeout_s=120, what="the children to end")


def test_a_data_directory_in_use_is_told_in_one_sentence(service: Service) -> None:
    second = try_up("--port", "0", "--data-dir", str(service.data_dir))

    assert second.returncode == 2
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = try_up("--port", port, "--data-dir", str(tmp_path / "data"))

    assert run.returncode == 2
    assert port in run.stderr
    assert "--port" in run.stderr


def test_a_data_directory_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    run = try_up("--port", "0", "--data-dir", str(tmp_path / "file" / "data"))

    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert str(tmp_path / "file") in run.stderr
