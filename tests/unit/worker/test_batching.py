"""Decoding beside the forward pass, and what one bad image may cost the others: nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import CorruptImage, DeviceLost, OutOfMemory, Transient
from core.populations import Known
from model.decision import Prediction
from model.loaded import LoadedModel
from model.output import NetworkOutput
from tests.testing.fakes import FakeEngine, Floats, fake_model, output
from worker.batching import decoders, screen
from worker.predict import Outcome, WorkerError
from worker.scheduler import Batch, Nothing

Outcomes = list[list[tuple[int, Outcome]]]


def gray(level: int) -> NDArray[np.uint8]:
    """An image for which FakeEngine answers level / 255."""
    return np.full((224, 224), level, np.uint8)


class Levels:
    """A source of gray images by their level, in given batches; `interactive` gives those that preempt a batch."""

    def __init__(
        self,
        batches: Iterable[Sequence[int]],
        model: LoadedModel,
        *,
        read: Callable[[int], NDArray[np.uint8]] = gray,
        interactive: Callable[[], Sequence[int]] = tuple,
        on_store: Callable[[], object] = lambda: None,
        known: Known | None = None,
    ) -> None:
        self.known = known
        self.model = model
        self.read = read
        self.outcomes: Outcomes = []
        self.models: list[LoadedModel] = []
        self.claims = 0
        self._batches = iter(batches)
        self._interactive = interactive
        self._on_store = on_store

    def claim(self, *, alone: bool) -> list[Batch[int]] | Nothing:
        items = next(self._batches, None)
        if items is None:
            return Nothing.LEFT
        self.claims += 1
        return [Batch(items)] if items else Nothing.UNTIL_STORED

    def claim_interactive(self) -> list[Batch[int]]:
        items = self._interactive()
        return [Batch(items, interactive=True)] if items else []

    def population(self, item: int) -> Known | None:
        return self.known

    def store(self, outcomes: Sequence[tuple[int, Outcome]], model: LoadedModel) -> None:
        self.outcomes.append(list(outcomes))
        self.models.append(model)
        self._on_store()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def network() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as network:
        yield network


def screened(
    batches: Iterable[Sequence[int]],
    pool: ThreadPoolExecutor,
    engine: FakeEngine,
    read: Callable[[int], NDArray[np.uint8]] = gray,
) -> Outcomes:
    source = Levels(batches, fake_model(engine), read=read)
    with ThreadPoolExecutor(1) as network:
        screen(source, pool, network)
    return source.outcomes


def levels(outcomes: Outcomes) -> list[list[float]]:
    return [[round(said.probability * 255) for _, said in batch if isinstance(said, Prediction)] for batch in outcomes]


def errors(batch: list[tuple[int, Outcome]]) -> dict[int, Outcome]:
    return {item: outcome for item, outcome in batch if not isinstance(outcome, Prediction)}


def test_outcomes_come_in_the_order_of_the_items(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    outcomes = screened([[3, 1, 2], [5], [4, 0]], pool, engine)
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


def test_a_claim_that_waits_is_asked_again_once_all_is_stored(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    stored: list[list[list[float]]] = []

    def batches() -> Iterator[list[int]]:
        for items in ([1], [], [2], [3], []):
            yield items
            if not items:
                stored.append(levels(source.outcomes))

    source = Levels(batches(), fake_model(engine))
    screen(source, pool, network)
    assert stored == [[[1]], [[1], [2], [3]]]


def test_no_batches_give_no_outcomes(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    assert screened([], pool, engine) == []
    assert engine.batch_sizes == []


def test_a_batch_goes_through_the_network_in_one_pass(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    screened([[1, 2, 3], [4, 5]], pool, engine)
    assert engine.batch_sizes == [3, 2]


def test_the_next_batch_is_decoded_while_the_one_before_is_in_the_network(pool: ThreadPoolExecutor) -> None:
    next_decoded = threading.Event()
    engine = FakeEngine(gate=next_decoded)  # the first pass ends only once batch 2 is being decoded

    def read(item: int) -> NDArray[np.uint8]:
        if item == 2:
            next_decoded.set()
        return gray(item)

    assert levels(screened([[1], [2]], pool, engine, read)) == [[1], [2]]


def test_outcomes_are_stored_while_the_next_batch_is_in_the_network(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    stored = threading.Event()

    class Waiting(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            if pixels.max() == 2 and not stored.wait(timeout=120):
                raise TimeoutError("the batch before was not stored meanwhile")
            return super().forward(pixels)

    source = Levels([[1], [2], [3]], fake_model(Waiting()), on_store=stored.set)
    screen(source, pool, network)
    assert levels(source.outcomes) == [[1], [2], [3]]


def test_after_an_error_what_waits_is_not_predicted(pool: ThreadPoolExecutor, network: ThreadPoolExecutor) -> None:
    """The first batch cannot be stored while an interactive one is in the network and the second behind it."""
    entered, gate = threading.Event(), threading.Event()
    predicted: list[int] = []

    class Slow(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            predicted.append(int(pixels.max()))
            if pixels.max() == 9:
                entered.set()
                gate.wait(timeout=120)
            return super().forward(pixels)

    def fail() -> None:
        assert entered.wait(timeout=120)
        raise ConnectionError

    came = iter([[], [9]])
    source = Levels([[1], [2], [3]], fake_model(Slow()), interactive=lambda: next(came, []), on_store=fail)
    with pytest.raises(ConnectionError):
        screen(source, pool, network)
    gate.set()
    network.submit(int).result()
    assert predicted == [1, 9]


def test_a_lost_device_is_no_outcome(pool: ThreadPoolExecutor) -> None:
    class Lost(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            raise DeviceLost("gone")

    with pytest.raises(DeviceLost):
        screened([[1, 2], [3]], pool, Lost())


def test_no_more_than_three_batches_are_under_way(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    ahead: list[int] = []
    source = Levels([[number] for number in range(6)], fake_model(engine), on_store=lambda: ahead.append(source.claims))
    screen(source, pool, network)
    assert [claimed - stored for stored, claimed in enumerate(ahead)] == [2, 2, 2, 2, 2, 1]


def test_interactive_images_preempt_the_batch_that_waits(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor, engine: FakeEngine
) -> None:
    came = iter([[], [9]])
    source = Levels([[1], [2], [3]], fake_model(engine), interactive=lambda: next(came, []))
    screen(source, pool, network)
    assert levels(source.outcomes) == [[1], [9], [2], [3]]


def test_a_batch_is_stored_with_the_model_that_it_went_through(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    old, new = fake_model(sha256="a" * 64), fake_model(sha256="b" * 64)

    def swap() -> None:
        source.model = new

    source = Levels([[1], [2], [3]], old, on_store=swap)  # the first is stored while the second is in the network
    screen(source, pool, network)
    assert levels(source.outcomes) == [[1], [2], [3]]
    assert source.models == [old, old, new]


def test_one_bad_image_fails_one_image(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        if item == 2:
            raise CorruptImage("Damaged.")
        return gray(item)

    (batch,) = screened([[1, 2, 3]], pool, engine, read)
    assert levels([batch]) == [[1, 3]]
    assert isinstance(errors(batch)[2], CorruptImage)


def test_a_batch_of_bad_images_never_reaches_the_network(pool: ThreadPoolExecutor, engine: FakeEngine) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        raise CorruptImage("Damaged.")

    (batch,) = screened([[1, 2]], pool, engine, read)
    assert len(errors(batch)) == 2
    assert engine.batch_sizes == []


@pytest.mark.parametrize(("crash", "code"), [(ZeroDivisionError(), "worker_error"), (MemoryError(), "out_of_memory")])
def test_a_decoder_that_crashes_costs_its_image_an_attempt(
    pool: ThreadPoolExecutor, engine: FakeEngine, crash: Exception, code: str
) -> None:
    def read(item: int) -> NDArray[np.uint8]:
        if item == 1:
            raise crash
        return gray(item)

    (batch,) = screened([[1, 2]], pool, engine, read)
    error = errors(batch)[1]
    assert isinstance(error, Transient)
    assert error.code == code
    assert levels([batch]) == [[2]]


def test_a_batch_too_large_for_the_device_is_halved_until_it_fits(pool: ThreadPoolExecutor) -> None:
    engine = FakeEngine(largest_batch=2)
    assert levels(screened([[1, 2, 3, 4, 5, 6, 7]], pool, engine)) == [[1, 2, 3, 4, 5, 6, 7]]
    assert max(engine.batch_sizes) == 2
    assert sum(engine.batch_sizes) == 7


def test_an_image_that_does_not_fit_alone_fails_with_that_reason(pool: ThreadPoolExecutor) -> None:
    (batch,) = screened([[1, 2, 3]], pool, FakeEngine(largest_batch=0))
    assert [type(error) for error in errors(batch).values()] == [OutOfMemory] * 3


def test_a_crash_in_the_network_costs_the_whole_batch_an_attempt_and_no_other(pool: ThreadPoolExecutor) -> None:
    class Crashing(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            if pixels.max() == 2:
                raise RuntimeError("device-side assert")
            return super().forward(pixels)

    crashed, fine = screened([[1, 2], [3]], pool, Crashing())
    assert [type(error) for error in errors(crashed).values()] == [WorkerError] * 2
    assert levels([fine]) == [[3]]


def test_an_answer_that_is_no_number_is_an_error_and_not_normal(pool: ThreadPoolExecutor) -> None:
    class Overflowed(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return output(np.array([0.25, np.nan]))

    (batch,) = screened([[1, 2]], pool, Overflowed())
    assert levels([batch]) == [[round(0.25 * 255)]]
    assert isinstance(batch[1][1], WorkerError)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_an_ood_score_that_is_no_number_is_an_error_and_not_within(pool: ThreadPoolExecutor, score: float) -> None:
    class Overflowed(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return output(np.array([0.25]), np.array([score]))

    (batch,) = screened([[1]], pool, Overflowed())
    assert isinstance(batch[0][1], WorkerError)


def test_kinds_that_are_no_numbers_are_an_error_and_not_frontal(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    class Overflowed(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return output(np.array([0.25]), np.array([np.nan]))

    source = Levels([[1]], fake_model(Overflowed(), ood_limit=None, gate=True))
    screen(source, pool, network)
    assert isinstance(source.outcomes[0][0][1], WorkerError)


def test_a_model_without_ood_statistics_still_gives_probabilities(
    pool: ThreadPoolExecutor, network: ThreadPoolExecutor
) -> None:
    source = Levels([[1, 2]], fake_model(ood_limit=None))
    screen(source, pool, network)
    (batch,) = source.outcomes
    assert levels([batch]) == [[1, 2]]
    assert [outcome.ood_score for _, outcome in batch if isinstance(outcome, Prediction)] == [None, None]
