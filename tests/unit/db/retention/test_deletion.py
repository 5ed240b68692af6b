"""Deleting jobs and their bytes: all of one goes, nothing that another needs does, whoever comes between."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import StorageForeign, StorageUnavailable
from db import audit, jobs, outcomes, previews
from db.outcomes import Scored
from db.retention import blobs, deletion, erasure
from db.retention.blobs import lock_blobs
from db.session import Database, now
from db.states import Decision, ImageState, Opinion, Priority
from db.tables import AuditEntry, BlobRemoval, Image, Job, Prediction, Preview, RecordedStore, Review
from storage.base import BlobStore
from tests.testing import factories
from tests.unit.db.conftest import Desk

STORE_ID = "1" * 32
SHARED = hashlib.sha256(b"image0").hexdigest()
"""The bytes of the first image of every job of the desk."""


class FakeStore:
    """The names of the blobs there are; `before_delete` runs in the middle of a removal."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.asked: list[str] = []
        self.before_delete: Callable[[str], None] = lambda _: None

    def store_id(self) -> str:
        return STORE_ID

    def exists(self, sha256: str) -> bool:
        self.asked.append(sha256)
        return sha256 in self.names

    def delete(self, sha256: str) -> None:
        self.before_delete(sha256)
        self.names.discard(sha256)


@pytest.fixture
def store(desk: Desk) -> FakeStore:
    with desk.database.begin() as session:
        session.add(RecordedStore(number=1, store_id=STORE_ID, recorded_at=now(session)))
    return FakeStore(*(hashlib.sha256(f"image{i}".encode()).hexdigest() for i in range(4)))


def mark(desk: Desk, job: Job) -> int:
    with desk.database.begin() as session:
        return deletion.mark_deleted(session, session.get_one(Job, job.id), now(session))


def erase(desk: Desk, store: FakeStore) -> erasure.Erased:
    return erasure.erase(desk.database, cast(BlobStore, store))


def count(desk: Desk, table: type[Image | Job | Prediction | Review | BlobRemoval | Preview]) -> int:
    with desk.database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


@contextmanager
def adding(desk: Desk, job: Job, store: FakeStore) -> Iterator[bool]:
    """What an upload does once its bytes are stored; the block runs before it commits. Yields whether it may."""
    with desk.database.begin() as session:
        there = lock_blobs(session, [SHARED], store.exists)
        if there:
            new = jobs.NewImage("again.png", SHARED, "image/png", 10, 4, 4)
            jobs.add_images(session, session.get_one(Job, job.id), [new], now(session))
            session.flush()
        yield there


def started(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_a_deleted_job_goes_with_all_that_is_its_own(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(3)
    desk.finish(desk.claim(2))
    with desk.database.begin() as session:
        said = Opinion.AGREE
        session.add(Review(prediction_id=1, user_id=desk.user.id, opinion=said, note="", created_at=now(session)))
    assert mark(desk, job) == 3
    assert erase(desk, store) == erasure.Erased(blobs=3, done=True)
    assert [count(desk, table) for table in (Job, Image, Prediction, Review)] == [0, 0, 0, 0]
    assert len(store.names) == 1


def test_bytes_that_another_job_needs_stay(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(3)
    desk.job(1)
    mark(desk, job)
    assert erase(desk, store).blobs == 2
    assert SHARED in store.names
    assert len(desk.images()) == 1


def test_a_job_is_erased_a_little_at_a_time(desk: Desk) -> None:
    job, _ = desk.job(5)
    mark(desk, job)
    left = []
    for _ in range(3):
        with desk.database.begin() as session:
            done = deletion.erase_some(session, job.id, now(session), limit=2)
        left.append((done, len(desk.images())))
    assert left == [(False, 3), (False, 1), (False, 0)]
    with desk.database.begin() as session:
        assert deletion.erase_some(session, job.id, now(session))
    assert count(desk, Job) == 0


def test_two_processes_may_erase_the_same_job(desk: Desk) -> None:
    job, _ = desk.job(5)
    mark(desk, job)

    def erase_all() -> None:
        while True:
            with desk.database.begin() as session:
                if deletion.erase_some(session, job.id, now(session), limit=2):
                    return

    with desk.database.begin() as session:
        deletion.erase_some(session, job.id, now(session), limit=2)
        other = started(erase_all)
        other.join(0.3)
        assert other.is_alive()
    other.join(10)
    assert [count(desk, table) for table in (Job, Image)] == [0, 0]
    assert not other.is_alive()


def test_an_image_that_a_worker_holds_is_finished_into_nothing(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(2)
    claims = desk.claim(2)
    mark(desk, job)
    erase(desk, store)
    assert desk.finish(claims) == 0
    desk.fail(claims[0], transient=True)
    assert [count(desk, table) for table in (Job, Image, Prediction)] == [0, 0, 0]


def test_a_worker_that_finishes_during_the_erasure_is_waited_for(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(2)
    claimed = desk.claim(2)
    mark(desk, job)
    with desk.database.begin() as session:
        scored = [Scored(claim, 0.7, Decision.PNEUMONIA) for claim in claimed]
        outcomes.finish(session, scored, model_sha256="f" * 64, threshold=0.5, worker="w1", now=now(session))
        session.flush()
        eraser = started(lambda: erase(desk, store))
        eraser.join(0.3)
        assert eraser.is_alive()
    eraser.join(10)
    assert [count(desk, table) for table in (Job, Image, Prediction)] == [0, 0, 0]


def test_the_picture_for_the_page_goes_with_the_upload(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(2)
    with desk.database.begin() as session:
        sha256s = set(session.scalars(select(Image.sha256)))
        previews.keep(session, dict.fromkeys(sha256s, b"jpeg"), now(session))
    assert count(desk, Preview) == len(sha256s) > 0
    mark(desk, job)
    erase(desk, store)
    assert count(desk, Preview) == 0


def test_an_upload_before_the_removal_keeps_its_bytes(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(1)
    other, _ = desk.job(0)
    mark(desk, job)
    with desk.database.begin() as session:
        deletion.erase_some(session, job.id, now(session))
    with adding(desk, other, store) as there:
        assert there
        remover = started(lambda: erase(desk, store))
        remover.join(0.3)
        assert remover.is_alive()  # it waits: the row is not to be seen yet
    remover.join(10)
    assert SHARED in store.names
    assert len(desk.images()) == 1


def test_an_upload_after_the_removal_is_told_that_its_bytes_are_gone(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(1)
    other, _ = desk.job(0)
    mark(desk, job)
    erase(desk, store)
    with adding(desk, other, store) as there:
        assert not there
    store.names.add(SHARED)  # sent again
    with adding(desk, other, store) as there:
        assert there
    assert erase(desk, store).blobs == 0
    assert SHARED in store.names


def test_an_upload_during_the_removal_waits_and_is_told(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(1)
    other, _ = desk.job(0)
    mark(desk, job)
    told: list[bool] = []
    uploads: list[threading.Thread] = []

    def add() -> None:
        with adding(desk, other, store) as there:
            told.append(there)

    def meanwhile(_: str) -> None:
        uploads.append(started(add))
        uploads[0].join(0.3)
        assert uploads[0].is_alive()

    store.before_delete = meanwhile
    assert erase(desk, store).blobs == 1
    uploads[0].join(10)
    assert told == [False]
    assert desk.images() == []


def test_a_removal_that_is_cut_off_between_file_and_commit_is_noticed_too(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(1)
    other, _ = desk.job(0)
    mark(desk, job)
    with desk.database.begin() as session:
        deletion.erase_some(session, job.id, now(session))

    def remove_and_die() -> None:
        with desk.database.begin() as session:
            blobs.remove_some(session, cast(BlobStore, store), now(session))
            raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        remove_and_die()
    assert SHARED not in store.names
    with adding(desk, other, store) as there:
        assert not there
    assert erase(desk, store).done


def test_a_blob_that_cannot_be_removed_does_not_hold_up_the_others(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(3)
    mark(desk, job)

    def refuse(sha256: str) -> None:
        if sha256 == SHARED:
            raise StorageUnavailable("It is read-only.")

    store.before_delete = refuse
    with pytest.raises(StorageUnavailable):
        erase(desk, store)
    assert len(store.names) == 2  # the one, and one that was no image's
    store.before_delete = lambda _: None
    assert erase(desk, store) == erasure.Erased(blobs=1, done=True)


def test_an_upload_asks_the_store_only_when_something_was_deleted(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(0)
    with adding(desk, job, store) as there:
        assert there
    assert store.asked == []


def test_the_key_of_a_deleted_job_is_free(desk: Desk) -> None:
    def create(session: Session) -> tuple[Job, bool]:
        return jobs.create(
            session, user_id=desk.user.id, name="n", priority=Priority.BULK, client_key="k", now=now(session)
        )

    with desk.database.begin() as session:
        job, _ = create(session)
    mark(desk, job)
    with desk.database.begin() as session:
        again, new = create(session)
    assert new
    assert again.id != job.id


def test_what_was_removed_is_remembered_for_a_day(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(1)
    mark(desk, job)
    erase(desk, store)
    for age, left in ((timedelta(hours=23), 1), (timedelta(hours=25), 0)):
        with desk.database.begin() as session:
            blobs.forget_removed(session, now(session) + age)
        assert count(desk, BlobRemoval) == left


def aged(desk: Desk, job: Job, *, sent: int, finished: int | None = None, states: Sequence[ImageState] = ()) -> None:
    """Make a job so many days old, and its images finished so many days ago."""
    with desk.database.begin() as session:
        at = now(session)
        session.get_one(Job, job.id).created_at = at - timedelta(days=sent)
        for image, state in zip(session.scalars(select(Image).where(Image.job_id == job.id)), states, strict=True):
            image.state = state
            image.created_at = at - timedelta(days=sent)
            image.finished_at = None if finished is None else at - timedelta(days=finished)


def test_jobs_in_which_nothing_has_happened_for_long_are_purged_and_the_log_says_so(desk: Desk) -> None:
    done, failed = [ImageState.DONE], [ImageState.FAILED]
    old, retried, waiting, young, empty = (desk.job(n)[0] for n in (1, 1, 1, 1, 0))
    aged(desk, old, sent=40, finished=40, states=failed)
    aged(desk, retried, sent=40, finished=3, states=done)
    aged(desk, waiting, sent=40, states=[ImageState.QUEUED])
    aged(desk, young, sent=20, finished=20, states=done)
    aged(desk, empty, sent=40)
    age = timedelta(days=30)
    assert erasure.count_expired(desk.database, older_than=age) == 2
    assert erasure.purge(desk.database, audit.CLI, older_than=age, limit=1) == [old.id]
    assert erasure.purge(desk.database, audit.CLI, older_than=age) == [empty.id]
    assert erasure.purge(desk.database, audit.CLI, older_than=age) == []
    with desk.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(e.actor, e.action, e.object_id, e.detail) for e in entries] == [
        ("(cli)", "purged", old.id, "1 images, idle for 30 days"),
        ("(cli)", "purged", empty.id, "0 images, idle for 30 days"),
    ]


def test_the_factories_share_bytes_between_jobs(database: Database) -> None:
    with database.begin() as session:
        job = factories.job(session, factories.user(session))
        assert factories.images(session, job, 1)[0].sha256 == SHARED


def test_nothing_is_removed_from_another_store(desk: Desk, store: FakeStore) -> None:
    job, _ = desk.job(3)
    mark(desk, job)
    with desk.database.begin() as session:
        session.get_one(RecordedStore, 1).store_id = "2" * 32
    with pytest.raises(StorageForeign):
        erase(desk, store)
    assert (count(desk, Image), len(store.names)) == (0, 4)
    with pytest.raises(StorageForeign):
        erasure.mark_orphaned(desk.database, cast(BlobStore, store), 0)
    with desk.database.begin() as session:
        session.get_one(RecordedStore, 1).store_id = STORE_ID
    assert erase(desk, store).blobs == 3
