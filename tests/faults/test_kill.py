"""Nothing accepted is lost when a process is killed in the middle of a job: real processes, real signals."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.testing import factories
from tests.testing.polling import wait_until
from tests.testing.service import Service, running

IMAGES = 80


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Small batches, so that a job of 80 images has a middle."""
    with running({"PNEUMOSCREEN_BATCH_SIZE": "4"}) as service:
        yield service


@pytest.fixture
def job_id(service: Service) -> int:
    """A job whose first batches are done and whose last are not."""
    seed = time.time_ns() % 1_000_000
    files = [(f"{i}.jpg", factories.jpeg(seed + i, size_px=(900, 700))) for i in range(IMAGES)]
    job_id = service.upload(files)
    service.wait_for_done(job_id, 4, at_least=True)
    return job_id


def assert_each_done_once(service: Service, job_id: int) -> None:
    counts = service.job(job_id)["counts"]
    assert counts == {"queued": 0, "running": 0, "done": IMAGES, "failed": 0, "cancelled": 0}
    (predictions,) = service.sql(
        "SELECT count(*), count(DISTINCT image_id) FROM predictions JOIN images ON images.id = image_id"
        f" WHERE job_id = {job_id}"
    )
    assert predictions == (IMAGES, IMAGES)


def kill_a_worker(service: Service, job_id: int) -> int:
    """Kill the worker while it holds images of the job; its pid."""
    (pid,) = wait_until(service.worker_pids, timeout_s=30, what="a worker with its model")
    wait_until(lambda: service.holds(pid), timeout_s=30, what="images leased to this worker")
    os.kill(pid, signal.SIGKILL)
    assert service.job(job_id)["counts"]["done"] < IMAGES, "the job was over before the kill"
    wait_until(lambda: pid not in service.worker_pids(), timeout_s=10, what="the worker to end")
    return int(pid)


def test_a_worker_killed_twice_in_the_middle_of_a_job_loses_nothing(service: Service, job_id: int) -> None:
    first = kill_a_worker(service, job_id)
    second = kill_a_worker(service, job_id)

    service.wait_for_done(job_id, IMAGES)
    assert first != second
    assert_each_done_once(service, job_id)


def test_valkey_killed_in_the_middle_of_a_job_loses_nothing(service: Service, job_id: int) -> None:
    before = service.valkey_pid()

    os.kill(before, signal.SIGKILL)

    service.wait_for_done(job_id, IMAGES)
    assert service.valkey_pid() != before
    assert_each_done_once(service, job_id)


def test_valkey_emptied_in_the_middle_of_a_job_loses_nothing(service: Service, job_id: int) -> None:
    with closing(service.valkey()) as client:
        client.flushall()

    service.wait_for_done(job_id, IMAGES)
    assert_each_done_once(service, job_id)


def test_an_upload_while_valkey_is_paused_is_screened_when_it_answers_again(service: Service) -> None:
    files = [("one.png", factories.png(time.time_ns() % 1_000_000))]
    pid = service.valkey_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        job_id = service.upload(files)
    finally:
        os.kill(pid, signal.SIGCONT)

    service.wait_for_done(job_id, 1)
    assert service.job(job_id)["total"] == 1
