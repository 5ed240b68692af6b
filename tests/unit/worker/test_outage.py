"""A store that is away, another one or without its bytes is no fault of the images, unless it never comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from core.errors import BlobMissing, CorruptImage, PneumoscreenError, StorageForeign, StorageUnavailable
from db.claims import Claim
from worker import outage
from worker.outage import INCOMPLETE, PATIENCE_S, Outage

AWAY = StorageUnavailable("Could not read the image storage: Input/output error.")
FOREIGN = StorageForeign("Another one.")
GONE = BlobMissing("The image's bytes are missing from the storage.")
DAMAGED = CorruptImage("It is damaged.")


class Store:
    """What an Outage asks."""

    wrong: StorageUnavailable | None = None
    complete = False

    def check(self) -> None:
        if self.wrong is not None:
            raise self.wrong


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(outage, "PAUSE_S", 0.001)
    return Store()


def watch(store: Store, clock: Callable[[], float] = lambda: 0.0) -> Outage:
    return Outage(store.check, lambda _sha256: store.complete, lambda: ["a" * 64], clock)


def batch(*errors: PneumoscreenError, first_id: int = 1) -> list[tuple[Claim, PneumoscreenError]]:
    return [(Claim(first_id + place, 1, "a" * 64), error) for place, error in enumerate(errors)]


def tell(away: Outage, over: threading.Event) -> None:
    """Set `over` once images may be claimed."""
    if away.wait_until_over(threading.Event()):
        over.set()


def ids(claims: Sequence[Claim]) -> list[int]:
    return [claim.image_id for claim in claims]


def test_a_batch_of_which_nothing_could_be_read_is_excused_for_a_while(store: Store) -> None:
    clock_s = 1000.0
    away = watch(store, lambda: clock_s)
    assert ids(away.excused(batch(AWAY, AWAY))) == [1, 2]
    clock_s += PATIENCE_S - 1
    assert ids(away.excused(batch(AWAY))) == [1]
    clock_s += 1
    assert away.excused(batch(AWAY)) == []


def test_one_image_that_can_be_read_ends_the_outage(store: Store) -> None:
    away = watch(store)
    away.excused(batch(AWAY))
    assert away.excused(batch(AWAY, DAMAGED)) == []


def test_bytes_that_are_missing_from_the_wrong_store_are_no_fault_of_the_image(store: Store) -> None:
    store.wrong = FOREIGN
    assert ids(watch(store).excused(batch(DAMAGED, GONE, AWAY))) == [2, 3]


def test_bytes_that_were_missing_for_a_moment_are_no_fault_of_the_image(store: Store) -> None:
    store.complete = True
    assert ids(watch(store).excused(batch(GONE))) == [1]


def test_a_single_missing_blob_in_the_right_store_is_the_images_own(store: Store) -> None:
    away = watch(store)
    assert [away.excused(batch(GONE)) for _ in range(5)] == [[]] * 5


def test_most_of_a_batch_missing_is_the_stores_fault(store: Store) -> None:
    assert ids(watch(store).excused(batch(GONE, DAMAGED, GONE, GONE))) == [1, 3, 4]


def test_missing_one_after_the_other_counts_as_well(store: Store) -> None:
    away = watch(store)
    excused = [ids(away.excused(batch(GONE, first_id=number))) for number in range(4)]
    assert excused == [[], [], [2], [3]]


def test_a_few_missing_among_many_are_not(store: Store) -> None:
    assert watch(store).excused(batch(*[GONE] * 3, *[DAMAGED] * 3)) == []


def test_it_waits_for_the_right_store_and_says_why(store: Store) -> None:
    store.wrong = FOREIGN
    away, over = watch(store), threading.Event()
    waiter = threading.Thread(target=tell, args=(away, over), daemon=True)
    waiter.start()
    assert not over.wait(0.05)
    assert away.reason == "Another one."
    store.wrong = None
    assert over.wait(20)
    waiter.join()
    assert away.reason is None


def test_it_waits_for_bytes_that_are_missing_in_numbers(store: Store) -> None:
    away, over = watch(store), threading.Event()
    away.excused(batch(GONE, GONE, GONE))
    waiter = threading.Thread(target=tell, args=(away, over), daemon=True)
    waiter.start()
    assert not over.wait(0.05)
    assert away.reason == INCOMPLETE
    store.complete = True
    assert over.wait(20)
    waiter.join()
    store.complete = False
    assert away.excused(batch(GONE)) == []  # counted anew


def test_it_waits_no_longer_than_the_worker_runs(store: Store) -> None:
    store.wrong = FOREIGN
    stop = threading.Event()
    stop.set()
    assert not watch(store).wait_until_over(stop)
