"""What a user may do to a job: each by its rules, its entry in the audit log and its message."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from core.errors import NotFound
from db.session import Database, now
from db.states import ImageState, Priority
from db.tables import AuditEntry, Image, Job
from services.caller import Caller
from services.jobs import Jobs, get_image, get_job
from tests.testing import factories
from tests.unit.services.conftest import FakePublisher


@pytest.fixture
def job_id(database: Database, jobs: Jobs, caller: Caller) -> int:
    """A bulk job with images 1 and 2, queued."""
    job, _, _ = jobs.create(caller, "ward", Priority.BULK)
    with database.begin() as session:
        factories.images(session, session.get_one(Job, job.id), 2)
    return job.id


def put(database: Database, state: ImageState, error_code: str | None = None) -> None:
    with database.begin() as session:
        session.execute(update(Image).values(state=state, error_code=error_code))


def entries(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [(entry.action, entry.detail) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def test_a_key_used_before_gives_the_same_job(jobs: Jobs, caller: Caller) -> None:
    first, _, new = jobs.create(caller, "ward", Priority.BULK, "key")
    again, progress, new_again = jobs.create(caller, "other", Priority.BULK, "key", 7)
    assert (new, new_again, again.id, again.name) == (True, False, first.id, "ward")
    assert progress.arrival.expected == 7


@pytest.mark.parametrize(("given", "name"), [("", "Untitled"), (" a\x07b ", "ab"), ("x" * 300, "x" * 200)])
def test_a_name_is_fit_to_be_shown(jobs: Jobs, caller: Caller, given: str, name: str) -> None:
    assert jobs.create(caller, given, Priority.BULK)[0].name == name


def test_cancelling_takes_what_is_queued(jobs: Jobs, caller: Caller, job_id: int, database: Database) -> None:
    assert (jobs.cancel(caller, job_id), jobs.cancel(caller, job_id)) == (2, 0)
    assert entries(database) == [("cancelled", "2 images"), ("cancelled", "0 images")]


def test_a_retry_publishes_what_it_queued(
    jobs: Jobs, caller: Caller, job_id: int, database: Database, publisher: FakePublisher
) -> None:
    jobs.cancel(caller, job_id)
    assert jobs.retry(caller, job_id) == (2, 0)
    assert [queue for _, queue in publisher.published] == ["bulk", "bulk"]
    assert entries(database)[-1] == ("retried", "2 images")


def test_a_retry_leaves_what_it_cannot_help(
    jobs: Jobs, caller: Caller, job_id: int, database: Database, publisher: FakePublisher
) -> None:
    put(database, ImageState.FAILED, "corrupt_image")
    assert jobs.retry(caller, job_id) == (0, 2)
    assert publisher.published == []


def test_of_a_large_job_only_some_are_published_while_somebody_waits(
    jobs: Jobs, caller: Caller, job_id: int, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.jobs.PUBLISH_AT_ONCE", 1)
    jobs.cancel(caller, job_id)
    assert jobs.retry(caller, job_id) == (2, 0)
    assert len(publisher.published) == 1


@pytest.mark.parametrize(
    ("state", "code", "answer"),
    [
        (ImageState.FAILED, "out_of_memory", (True, False)),
        (ImageState.CANCELLED, None, (True, False)),
        (ImageState.FAILED, "corrupt_image", (False, True)),
        (ImageState.DONE, None, (False, False)),
    ],
)
def test_one_image_is_queued_again_if_that_can_help(
    jobs: Jobs, caller: Caller, job_id: int, database: Database, publisher: FakePublisher,
    state: ImageState, code: str | None, answer: tuple[bool, bool],
) -> None:  # fmt: skip
    put(database, state, code)
    with database.read() as session:
        image_id = session.scalars(select(Image.id).where(Image.job_id == job_id)).first()
    assert image_id is not None
    assert jobs.retry_image(caller, image_id) == answer
    assert [published for published, _ in publisher.published] == ([image_id] if answer[0] else [])


def test_what_is_deleted_or_was_never_there_is_not_found(
    jobs: Jobs, caller: Caller, job_id: int, database: Database
) -> None:
    with database.begin() as session:
        image_id = session.scalars(select(Image.id)).first()
        session.get_one(Job, job_id).deleted_at = now(session)
    assert image_id is not None
    for missing in (job_id, job_id + 1, 2**63):
        with database.read() as session, pytest.raises(NotFound, match=f"There is no job {missing}"):
            get_job(session, missing)
    with database.read() as session, pytest.raises(NotFound, match=f"There is no image {image_id}"):
        get_image(session, image_id)
    for change in (jobs.cancel, jobs.retry):
        with pytest.raises(NotFound):
            change(caller, job_id)
    with pytest.raises(NotFound):
        jobs.retry_image(caller, image_id)
