"""Whether there is room: how the queue is counted, and when to come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.errors import QueueFull, StorageFull
from core.settings import Settings
from db.session import Database, now
from db.states import ImageState, Priority
from db.tables import Image, User
from services import admission as module
from services.admission import Admission
from services.caller import Caller
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.testing.settings import change

LIMIT, RESERVE = 10, 4
FillQueue = Callable[[int], int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return change(settings, max_queued_images=LIMIT, reserved_queue_images=RESERVE)


@pytest.fixture
def queued(database: Database, caller: Caller) -> FillQueue:
    """`queued(count)`: a bulk job of the caller with that many queued images; its id."""

    def fill(count: int) -> int:
        with database.begin() as session:
            job = factories.job(session, session.get_one(User, caller.user_id))
            factories.images(session, job, count)
            return job.id

    return fill


@pytest.fixture
def admission(settings: Settings, database: Database, store: LocalBlobStore) -> Admission:
    return Admission(settings, database, store)


def test_the_time_to_come_back_follows_from_how_fast_images_are_screened(
    admission: Admission, database: Database, queued: FillQueue
) -> None:
    queued(LIMIT)
    done = queued(30)
    with database.begin() as session:
        values = {"state": ImageState.DONE, "finished_at": now(session) - timedelta(seconds=10)}
        session.execute(update(Image).where(Image.job_id == done).values(values))
    with pytest.raises(QueueFull) as caught:
        admission.admit(1, Priority.BULK)
    assert caught.value.retry_after_s == (module.CHUNK + RESERVE) * module.RATE_OVER_S / 30  # half an image a second


def test_the_queue_is_counted_once_a_second(
    settings: Settings, database: Database, store: LocalBlobStore, queued: FillQueue
) -> None:
    clock_s = [0.0]
    admission = Admission(settings, database, store, clock=lambda: clock_s[0])
    admission.admit(1, Priority.BULK)
    queued(LIMIT)
    admission.admit(1, Priority.BULK)
    clock_s[0] = 1.0
    with pytest.raises(QueueFull):
        admission.admit(1, Priority.BULK)


def test_a_store_that_knows_no_free_space_is_never_full(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: asked.append(True))
    admission.admit(1, Priority.BULK, size_bytes=10**18)
    assert asked == [True]


def test_a_full_disk_says_when_to_come_back(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: 0)
    with pytest.raises(StorageFull) as caught:
        admission.check_space()
    assert caught.value.retry_after_s == 60
