"""What `up` says while it waits."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from launcher import readiness
from launcher.readiness import Progress, Readiness

LOGS = Path("/data/logs")


@pytest.mark.parametrize(
    ("seen", "running", "said"),
    [
        (Readiness(False), {"web": True, "worker": True}, "web does not answer yet, worker loads its model"),
        (Readiness(True, True, True), {"web": True, "sweeper": True}, "web answers, sweeper runs"),
        (Readiness(True, True, False), {"web": True}, "web answers, but does not reach the queue"),
        (Readiness(True, True, True, 1, paused=True), {"worker": True}, "worker waits for the image storage"),
        (Readiness(True, True, True), {"worker-1": True, "worker-2": False},
         "worker-1 loads its model, worker-2 ended and is started again"),
    ],
)  # fmt: skip
def test_each_process_and_its_state(seen: Readiness, running: dict[str, bool], said: str) -> None:
    lines: list[str] = []
    times = iter([0.0, 7.4])
    Progress(lines.append, lambda: next(times)).tell(seen, running, LOGS)

    assert lines == [f"waiting (7 s): {said}; logs: /data/logs"]


def test_it_is_said_every_few_seconds_and_not_at_once() -> None:
    lines: list[str] = []
    times = iter([0.0, 0.3, 2.9, 3.0, 3.3, 6.1])
    progress = Progress(lines.append, lambda: next(times))
    for _ in range(5):
        progress.tell(Readiness(False), {"web": True}, LOGS)

    assert [line.partition(":")[0] for line in lines] == ["waiting (3 s)", "waiting (6 s)"]


def test_ready_is_a_worker_with_its_model() -> None:
    assert not Readiness(True, True, True).ready
    assert Readiness(True, True, True, workers=2).ready
    assert not Readiness(True, True, True, workers=1, paused=True).ready, "it may have no model yet"


@pytest.mark.parametrize(("problems", "paused"), [(["workers_paused"], True), (["worker_paused"], False), ([], False)])
def test_paused_is_a_service_all_of_whose_workers_are(
    monkeypatch: pytest.MonkeyPatch, problems: list[str], paused: bool
) -> None:
    body = {"database": True, "broker": True, "workers": 2, "problems": problems}
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, json=body))

    assert readiness.ask("http://127.0.0.1:9") == Readiness(True, True, True, 2, paused)
