"""The one thread that drains: asked by a message, by itself when nobody asks, and never twice at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy.exc import OperationalError

from core.errors import DeviceLost
from model.output import NetworkOutput
from tests.testing.fakes import FakeEngine, Floats, fake_model
from tests.testing.polling import wait_until
from tests.unit.worker.conftest import Submit, pngs, rows, states
from web.backends import Backends
from worker.pipeline import Pipeline
from worker.screener import Screener

NEVER_S = 3600.0
SOON_S = 0.05

Start = Callable[..., Screener]


@pytest.fixture
def start(pipeline: Pipeline) -> Iterator[Start]:
    """`start(idle_check_s)`: a running screener."""
    with ExitStack() as stack:

        def _start(
            idle_check_s: float, of: Pipeline = pipeline, prepare: Callable[[], None] = lambda: None
        ) -> Screener:
            screener = Screener(of, prepare, idle_check_s)
            screener.start()
            stack.callback(screener.stop)
            return screener

        yield _start


def test_what_was_queued_before_it_started_is_screened(backends: Backends, submit: Submit, start: Start) -> None:
    submit(*pngs(3))
    start(NEVER_S)
    wait_until(lambda: states(backends) == ["done"] * 3)


def test_an_image_without_a_message_is_found(backends: Backends, submit: Submit, start: Start) -> None:
    start(SOON_S)
    for _ in range(2):
        submit(*pngs(1))
        wait_until(lambda: set(states(backends)) == {"done"})


def test_whoever_asks_returns_when_all_is_screened(backends: Backends, submit: Submit, start: Start) -> None:
    screener = start(NEVER_S)
    screener.drain()
    submit(*pngs(3))
    screener.drain()
    assert states(backends) == ["done"] * 3


class Counting(Pipeline):
    """Notes how often it drains and how often at the same time; `errors` are raised first, one a drain."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.drains = self.at_once = self.most_at_once = 0
        self.errors: list[Exception] = []

    def drain(self) -> int:
        self.drains += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.errors:
                raise self.errors.pop()
            return super().drain()
        finally:
            self.at_once -= 1


@pytest.fixture
def counting(backends: Backends, engine: FakeEngine) -> Iterator[Counting]:
    pipeline = Counting(backends.settings, backends.database, backends.store, lambda: fake_model(engine), "counting")
    yield pipeline
    pipeline.close()


def test_many_that_ask_at_once_never_drain_at_once(counting: Counting, submit: Submit, start: Start) -> None:
    submit(*pngs(8))
    screener = start(SOON_S, counting)
    asking = [threading.Thread(target=screener.drain) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
        assert not thread.is_alive()
    assert counting.most_at_once == 1


def test_an_idle_worker_looks_and_does_not_claim(counting: Counting, start: Start) -> None:
    looks = threading.Semaphore(0)
    ask = counting.work_waits

    def noting() -> bool:
        looks.release()
        return ask()

    counting.work_waits = noting  # type: ignore[method-assign]
    start(SOON_S, counting)
    assert all(looks.acquire(timeout=30) for _ in range(3))
    assert counting.drains == 1  # the first, at the start


@pytest.mark.parametrize("error", [OperationalError("SELECT", {}, Exception("gone")), RuntimeError("nobody expected")])
def test_after_an_error_it_goes_on(
    backends: Backends, counting: Counting, submit: Submit, start: Start, error: Exception
) -> None:
    counting.errors = [error]
    submit(*pngs(1))
    start(SOON_S, counting)
    wait_until(lambda: states(backends) == ["done"])


def test_stop_lets_go_whoever_asks(pipeline: Pipeline, start: Start) -> None:
    """Celery's thread must not hold up the end of the process."""
    preparing = threading.Event()
    screener = start(NEVER_S, pipeline, lambda: bool(preparing.wait(30)))
    asking = threading.Thread(target=screener.drain)
    asking.start()
    stopping = threading.Thread(target=screener.stop)
    stopping.start()
    asking.join(20)
    assert not asking.is_alive()
    preparing.set()
    stopping.join(20)
    assert not stopping.is_alive()


class LostEngine(FakeEngine):
    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        raise DeviceLost("gone")


class Ended(BaseException):
    """In place of `os._exit`: nothing behind it runs."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that of the end, above
def test_a_lost_device_ends_the_process_and_no_image_is_blamed(
    backends: Backends, submit: Submit, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        raise Ended(status)

    monkeypatch.setattr("worker.screener.os._exit", end)
    submit(*pngs(6))
    start(
        NEVER_S, Pipeline(backends.settings, backends.database, backends.store, lambda: fake_model(LostEngine()), "w2")
    )
    wait_until(lambda: statuses == [1])
    assert {row.state for row in rows(backends)} <= {"running", "queued"}
    assert {row.error_code for row in rows(backends)} == {None}
