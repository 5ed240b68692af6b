"""Following a job."""

from __future__ import annotations

from typing import Any, cast

import pytest

from client.http import Client, JobStatus
from client.watch import MAX_POLL_S, STALL_S, watch


class FakeClient:
    """Gives the scripted statuses, one a poll."""

    def __init__(self, *statuses: JobStatus, workers: int | None = 1) -> None:
        self.statuses = list(statuses)
        self.etags: list[str] = []
        self._workers = workers

    def job(self, _job_id: int, etag: str) -> JobStatus:
        self.etags.append(etag)
        return self.statuses.pop(0)

    def workers(self) -> int | None:
        return self._workers


class FakeMeter:
    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []
        self.notes: list[str] = []

    def show(self, done: int, total: int) -> None:
        self.shown.append((done, total))

    def waiting(self, words: str) -> None:
        raise AssertionError("a look at a job is never asked to wait for room")

    def note(self, line: str) -> None:
        self.notes.append(line)


def status(*, retry_after_s: float | None = 1.0, etag: str = "", **counts: int) -> JobStatus:
    zero = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
    return JobStatus({"counts": zero | counts}, etag, retry_after_s)


def follow(client: FakeClient) -> tuple[FakeMeter, list[float]]:
    meter = FakeMeter()
    waits: list[float] = []
    watch(cast(Client, client), 1, cast(Any, meter), sleep=waits.append, clock=lambda: sum(waits))
    return meter, waits


def test_until_nothing_is_queued_or_running() -> None:
    meter, waits = follow(
        FakeClient(
            status(queued=3),
            status(queued=1, running=1, done=1, retry_after_s=2.0),
            status(done=1, failed=1, cancelled=1),
        )
    )

    assert meter.shown == [(0, 3), (1, 3), (3, 3)]
    assert waits == [1.0, 2.0]


def test_an_unchanged_job_is_asked_for_by_its_etag() -> None:
    client = FakeClient(status(queued=1, etag="A"), JobStatus(None, "A", 1.0), status(done=1, etag="B"))

    meter, _ = follow(client)

    assert client.etags == ["", "A", "A"]
    assert meter.shown == [(0, 1), (1, 1)]


@pytest.mark.parametrize(("asked_s", "waited_s"), [(None, 1.0), (0.0, 0.1), (9999.0, MAX_POLL_S)])
def test_the_pause_has_limits(asked_s: float | None, waited_s: float) -> None:
    _, waits = follow(FakeClient(status(queued=1, retry_after_s=asked_s), status(done=1)))

    assert waits == [waited_s]


@pytest.mark.parametrize(("workers", "notes"), [(0, 2), (1, 0), (None, 0)])
def test_a_queue_without_workers_is_noted(workers: int | None, notes: int) -> None:
    polls = int(2 * STALL_S) + 1
    client = FakeClient(*[status(queued=1)] * polls, status(done=1), workers=workers)

    meter, _ = follow(client)

    assert len(meter.notes) == notes
    assert all("No worker is running" in note for note in meter.notes)


def test_no_note_while_it_moves() -> None:
    client = FakeClient(*[status(queued=60 - done, done=done) for done in range(61)], workers=0)

    meter, _ = follow(client)

    assert meter.notes == []
