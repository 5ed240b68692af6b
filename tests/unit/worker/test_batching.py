"""Decoding beside the forward pass, and what one bad image may cost the others: nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import CorruptImage, DeviceLost, OutOfMemory, Transient
from model.decision import Prediction
from model.output import NetworkOutput
from tests.testing.fakes import FakeEngine, Floats, fake_model, output
from worker.batching import Outcome, WorkerError, decoders, screen_batches

Outcomes = list[list[tuple[int, Outcome]]]


def gray(level: int) -> NDArray[np.uint8]:
    """An image for which FakeEngine answers level / 255."""
    return np.full((224, 224), level, np.uint8)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def network() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as network:
        yield network


def screen(batches: Sequence[Sequence[int]], pool: ThreadPoolExecutor, engine: FakeEngine) -> Outcomes:
    with ThreadPoolExecutor(1) as network:
        return list(screen_batches(batches, gray, fake_model(engine), pool, network))


def levels(outcomes: Outcomes) -> list[list[float]]:
    return [
        [round(found.probability * 255) for _, found in batch if isinstance(found, Prediction)] for batch in outcomes
    ]


def errors(batch: list[tuple[int, Outcome]]) -> dict[int, Outcome]:
    return {item: outcome for item, outcome in batch if not isinstance(outcome, Prediction)}


def test_outcomes_come_in_the_order_of_the_items(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    outcomes = screen([[3, 1, 2], [5], [4, 0]], pool, engine)
    assert [[item for item, _ in batch] for batch in outcomes] == [[3, 1, 2], [5], [4, 0]]
    assert levels(outcomes) == [[3, 1, 2], [5], [4, 0]]


@pytest.mark.parametrize(("asked", "cores", "expected"), [(3, 8, 3), (0, 5, 5)])
def test_as_many_threads_decode_as_are_asked_for_or_there_are_cores(
    asked: int, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    meeting = threading.Barrier(expected)
    with decoders(asked) as pool:
        places = [future.result() for future in [pool.submit(meeting.wait, timeout=120) for _ in range(expected)]]
    assert sorted(places) == list(range(expected))


def test_an_empty_batch_asks_for_the_outcomes_of_all_before_it(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    given: list[float] = []
    seen: list[list[float]] = []

    def batches() -> Iterator[list[int]]:
        for items in ([1], [], [2], [3], []):
            yield items
            if not items:
                seen.append(list(given))

    for batch in screen_batches(batches(), gray, fake_model(engine), pool, network):
        given += levels([batch])[0]
    assert seen == [[1], [1, 2, 3]]


def test_no_batches_give_no_outcomes(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    assert screen([], pool, engine) == []
    assert engine.batch_sizes == []


def test_a_batch_goes_through_the_network_in_one_pass(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    screen([[1, 2, 3], [4, 5]], pool, engine)
    assert engine.batch_sizes == [3, 2]


def test_the_next_batch_is_decoded_while_the_one_before_is_in_the_network(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    next_decoded = threading.Event()
    engine = FakeEngine(gate=next_decoded)  # the first pass ends only once batch 2 is being decoded

    def read(item: int) -> NDArray[np.uint8]:
        if item == 2:
            next_decoded.set()
        return gray(item)

    assert levels(list(screen_batches([[1], [2]], read, fake_model(engine), pool, network))) == [[1], [2]]


def test_outcomes_are_given_out_while_the_next_batch_is_in_the_network(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    stored = threading.Event()

    class Waiting(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            if pixels.max() == 2 and not stored.wait(timeout=120):
                raise TimeoutError("the batch before was not stored meanwhile")
            return super().forward(pixels)

    outcomes: Outcomes = []
    for batch in screen_batches([[1], [2], [3]], gray, fake_model(Waiting()), pool, network):
        outcomes.append(batch)
        stored.set()
    assert levels(outcomes) == [[1], [2], [3]]


def test_what_nobody_asks_for_any_more_is_not_predicted(pool: ThreadPoolExecutor, network: ThreadPoolExecutor) -> None:
    """The caller gives up over the first batch while an urgent one is in the network and the second behind it."""
    entered, gate = threading.Event(), threading.Event()
    levels_seen: list[int] = []

    class Slow(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            levels_seen.append(int(pixels.max()))
            if pixels.max() == 9:
                entered.set()
                gate.wait(timeout=120)
            return super().forward(pixels)

    def overtake(waiting: Sequence[int]) -> Sequence[int]:
        return [9] if list(waiting) == [2] else []

    given = screen_batches([[1], [2], [3]], gray, fake_model(Slow()), pool, network, overtake)
    assert levels([next(given)]) == [[1]]
    assert entered.wait(timeout=120)
    del given
    gate.set()
    network.submit(int).result()
    assert levels_seen == [1, 9]


def test_a_lost_device_is_no_outcome(pool: ThreadPoolExecutor) -> None:
    class Lost(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            raise DeviceLost("gone")

    with pytest.raises(DeviceLost):
        screen([[1, 2], [3]], pool, Lost())


def test_no_more_than_two_batches_are_in_memory(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    asked = 0

    def batches() -> Iterator[list[int]]:
        nonlocal asked
        for number in range(6):
            asked += 1
            yield [number]

    ahead = [asked - done for done, _ in enumerate(screen_batches(batches(), gray, fake_model(engine), pool, network))]
    assert ahead == [2, 2, 2, 2, 2, 1]


def test_what_is_urgent_overtakes_the_batch_that_waits(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    asked: list[list[int]] = []

    def overtake(waiting: Sequence[int]) -> Sequence[int]:
        asked.append(list(waiting))
        return [9] if list(waiting) == [2] else []

    outcomes = list(screen_batches([[1], [2], [3]], gray, fake_model(engine), pool, network, overtake))
    assert [[item for item, _ in batch] for batch in outcomes] == [[1], [9], [2], [3]]
    assert asked == [[1], [2], [3]]


def test_one_bad_image_fails_one_image(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        if item == 2:
            raise CorruptImage("Damaged.")
        return gray(item)

    (batch,) = screen_batches([[1, 2, 3]], read, fake_model(engine), pool, network)
    assert levels([batch]) == [[1, 3]]
    assert isinstance(errors(batch)[2], CorruptImage)


def test_a_batch_of_bad_images_never_reaches_the_network(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        raise CorruptImage("Damaged.")

    (batch,) = screen_batches([[1, 2]], read, fake_model(engine), pool, network)
    assert len(errors(batch)) == 2
    assert engine.batch_sizes == []


@pytest.mark.parametrize(("crash", "code"), [(ZeroDivisionError(), "worker_error"), (MemoryError(), "out_of_memory")])
def test_a_decoder_that_crashes_costs_its_image_an_attempt(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine, crash: Exception, code: str
) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        if item == 1:
            raise crash
        return gray(item)

    (batch,) = screen_batches([[1, 2]], read, fake_model(engine), pool, network)
    error = errors(batch)[1]
    assert isinstance(error, Transient)
    assert error.code == code
    assert levels([batch]) == [[2]]


def test_a_batch_too_large_for_the_device_is_halved_until_it_fits(pool: ThreadPoolExecutor) -> None:
    engine = FakeEngine(largest_batch=2)
    assert levels(screen([[1, 2, 3, 4, 5, 6, 7]], pool, engine)) == [[1, 2, 3, 4, 5, 6, 7]]
    assert max(engine.batch_sizes) == 2
    assert sum(engine.batch_sizes) == 7


def test_an_image_that_does_not_fit_alone_fails_with_that_reason(pool: ThreadPoolExecutor) -> None:
    (batch,) = screen([[1, 2, 3]], pool, FakeEngine(largest_batch=0))
    assert [type(error) for error in errors(batch).values()] == [OutOfMemory] * 3


def test_a_crash_in_the_network_costs_the_whole_batch_an_attempt_and_no_other(pool: ThreadPoolExecutor) -> None:
    class Crashing(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            if pixels.max() == 2:
                raise RuntimeError("device-side assert")
            return super().forward(pixels)

    crashed, fine = screen([[1, 2], [3]], pool, Crashing())
    assert [type(error) for error in errors(crashed).values()] == [WorkerError] * 2
    assert levels([fine]) == [[3]]


def test_an_answer_that_is_no_number_is_an_error_and_not_normal(pool: ThreadPoolExecutor) -> None:
    class Overflowed(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return output(np.array([0.25, np.nan]))

    (batch,) = screen([[1, 2]], pool, Overflowed())
    assert levels([batch]) == [[round(0.25 * 255)]]
    assert isinstance(batch[1][1], WorkerError)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_an_ood_score_that_is_no_number_is_an_error_and_not_within(pool: ThreadPoolExecutor, score: float) -> None:
    class Overflowed(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return output(np.array([0.25]), np.array([score]))

    (batch,) = screen([[1]], pool, Overflowed())
    assert isinstance(batch[0][1], WorkerError)


def test_a_model_without_ood_statistics_still_gives_probabilities(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    (batch,) = screen_batches([[1, 2]], gray, fake_model(ood_limit=None), pool, network)
    assert levels([batch]) == [[1, 2]]
    assert [found.ood_score for _, found in batch if isinstance(found, Prediction)] == [None, None]
