"""An upload that was cut off never looks finished, and what was rejected stays with its job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from db import jobs, migrate, rejections
from db.arrival import SILENT_FOR
from db.listing import jobs as job_list
from db.progress import Progress, progress_of
from db.rejections import NewRejection
from db.retention import deletion
from db.session import Database, now
from db.states import ImageState, JobState, Priority
from db.tables import Image, Job, Rejection
from tests.testing import factories


@pytest.fixture
def job(database: Database) -> Job:
    """Five files declared, two received and screened."""
    return add_job(database, images=2)


def add_job(database: Database, images: int) -> Job:
    with database.begin() as session:
        owner = factories.user(session, f"user {images}")
        made, _ = jobs.create(
            session,
            user_id=owner.id,
            name="ward",
            priority=Priority.BULK,
            client_key="k",
            expected_images=5,
            now=now(session),
        )
        factories.images(session, made, images)
        session.execute(update(Image).values(state=ImageState.DONE))
    return made


def age(database: Database, by: timedelta) -> None:
    """As if all that happened had happened so much earlier."""
    with database.begin() as session:
        for table, column in ((Job, "created_at"), (Image, "created_at"), (Rejection, "at")):
            for row in session.scalars(select(table)):
                setattr(row, column, getattr(row, column) - by)


def reject(database: Database, job: Job, *names: str) -> None:
    with database.begin() as session:
        new = [NewRejection(name, "empty_file", "It is empty.") for name in names]
        rejections.add(session, job.id, new, now(session))


def progress(database: Database, job: Job) -> Progress:
    with database.read() as session:
        return progress_of(session, session.get_one(Job, job.id))


def test_while_more_may_come_the_job_runs(database: Database, job: Job) -> None:
    seen = progress(database, job)
    assert (seen.state, seen.arrival.missing, seen.arrival.silent) == (JobState.RUNNING, 3, False)
    assert seen.finished_at is None


def test_once_nothing_comes_any_more_it_is_incomplete(database: Database, job: Job) -> None:
    age(database, SILENT_FOR + timedelta(seconds=60))
    seen = progress(database, job)
    assert (seen.state, seen.arrival.missing, seen.arrival.silent) == (JobState.INCOMPLETE, 3, True)


def test_a_file_that_comes_shows_that_the_upload_goes_on(database: Database, job: Job) -> None:
    age(database, SILENT_FOR + timedelta(seconds=60))
    reject(database, job, "a.txt")
    seen = progress(database, job)
    assert (seen.state, seen.arrival.missing, seen.arrival.rejected) == (JobState.RUNNING, 2, 1)


def test_rejected_files_count_as_received_once_each(database: Database, job: Job) -> None:
    reject(database, job, "a.txt", "b.txt", "c.txt")
    reject(database, job, "a.txt")
    seen = progress(database, job)
    assert (seen.state, seen.arrival.missing, seen.arrival.rejected) == (JobState.DONE, 0, 3)
    with database.begin() as session:
        rejections.forget(session, job.id, ["a.txt"])
    assert progress(database, job).arrival.rejected == 2


def test_a_new_declaration_under_the_same_key_counts(database: Database, job: Job) -> None:
    with database.begin() as session:
        same, new = jobs.create(
            session,
            user_id=job.user_id,
            name="ward",
            priority=Priority.BULK,
            client_key="k",
            expected_images=2,
            now=now(session),
        )
        assert (same.id, new) == (job.id, False)
    assert progress(database, job).state is JobState.DONE


def test_a_declared_upload_is_listed_from_its_first_image_on(database: Database, job: Job) -> None:
    empty = add_job(database, images=0)
    reject(database, empty, "a.txt")
    with database.read() as session:
        assert [listed.id for listed in job_list.page(session).items] == [job.id]


def test_rejections_are_read_in_pages_and_erased_with_the_job(database: Database, job: Job) -> None:
    reject(database, job, *"abcde")
    with database.begin() as session:
        first = rejections.page(session, job.id, limit=3)
        second = rejections.page(session, job.id, limit=3, cursor=first.next_cursor)
        assert [[row.filename for row in page.items] for page in (first, second)] == [["a", "b", "c"], ["d", "e"]]
        assert second.next_cursor is None
        assert [row.filename for row in rejections.page(session, job.id, limit=10).items] == list("abcde")
        deletion.mark_deleted(session, session.get_one(Job, job.id), now(session))
    for _ in range(10):
        with database.begin() as session:
            if deletion.erase_some(session, job.id, now(session), limit=2):
                break
    with database.read() as session:
        assert session.scalars(select(Rejection)).all() == []
        assert session.get(Job, job.id) is None


def test_uploads_of_which_nothing_came_are_deleted_a_day_later(database: Database, job: Job) -> None:
    empty = add_job(database, images=0)
    with database.begin() as session:
        assert deletion.mark_abandoned(session, now(session)) == []
    age(database, deletion.ABANDONED_FOR + timedelta(seconds=60))
    with database.begin() as session:
        assert deletion.mark_abandoned(session, now(session)) == [empty.id]
        assert session.get_one(Job, job.id).deleted_at is None


def test_the_release_before_goes_on_beside_the_new_tables(empty_database_url: str) -> None:
    """Revision 0008 with rows in it: the old release writes jobs, and erases one that has rejections."""
    migrate.upgrade(empty_database_url, "0007")
    database = Database(empty_database_url)
    insert = text("INSERT INTO jobs (name, priority, user_id, created_at) VALUES ('ward', 'bulk', 1, '2026-11-23')")
    with database.begin() as session:
        factories.user(session)
        session.execute(insert)
    migrate.upgrade(empty_database_url, "0008")
    with database.begin() as session:
        session.execute(insert)
        # Not as objects: the tables have got columns since.
        assert session.execute(text("SELECT expected_images FROM jobs")).scalars().all() == [None, None]
        rejections.add(session, 1, [NewRejection("a.txt", "empty_file", "It is empty.")], now(session))
    with database.begin() as session:
        session.execute(text("DELETE FROM jobs WHERE id = 1"))
        assert session.scalars(select(Rejection)).all() == []
    migrate.downgrade(empty_database_url, "0007")
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 1
    database.dispose()
