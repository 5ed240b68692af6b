"""The one write path by itself, as a process without a web page uses it."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from core.errors import Conflict, NotFound, StorageUnavailable
from db.session import Database
from db.states import ImageState, Priority
from db.tables import AuditEntry, Image, Job, Rejection
from services.caller import Caller
from services.files import Rejected
from services.ingest import Ingest
from services.jobs import Jobs
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.unit.services.conftest import FakePublisher, MakeFile


@pytest.fixture
def job_id(jobs: Jobs, caller: Caller) -> int:
    return jobs.create(caller, "ward", Priority.BULK)[0].id


def count(database: Database, table: type[Image | Job]) -> int:
    with database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_bytes_become_a_blob_a_row_and_a_message(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, store: LocalBlobStore, publisher: FakePublisher
) -> None:
    (image,) = ingest.receive(caller, job_id, [arrived("ward/a.png")])
    assert isinstance(image, Image)
    assert (image.filename, image.state, image.priority) == ("ward/a.png", ImageState.QUEUED, Priority.BULK)
    assert image.published_at is not None
    assert store.exists(image.sha256)
    assert publisher.published == [(image.id, "bulk")]


def test_what_is_accepted_stands_in_the_audit_log(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, database: Database
) -> None:
    ingest.receive(caller, job_id, [arrived("a.png"), arrived("b.png", factories.png(2))])
    with database.read() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.object_id, entry.detail) == ("ada", "submitted", job_id, "2 images")
    assert entry.address == "10.0.0.7"


def test_one_bad_file_costs_no_other_and_is_kept_with_the_job(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, database: Database
) -> None:
    bad, good = ingest.receive(caller, job_id, [arrived("note.txt", b"hello"), arrived("a.png")])
    assert isinstance(bad, Rejected)
    assert bad.code == "unsupported_type"
    assert isinstance(good, Image)
    with database.read() as session:
        assert session.scalars(select(Rejection.filename)).all() == ["note.txt"]


def test_files_without_one_image_make_no_job(
    ingest: Ingest, caller: Caller, arrived: MakeFile, database: Database, publisher: FakePublisher
) -> None:
    received = ingest.receive_new(caller, "ward", Priority.BULK, [arrived("note.txt", b"hello")])
    assert [type(item) for item in received] == [Rejected]
    assert (count(database, Job), publisher.published) == (0, [])


def test_one_image_is_an_urgent_job_of_its_own(ingest: Ingest, caller: Caller, arrived: MakeFile) -> None:
    image = ingest.receive_single(caller, arrived())
    assert isinstance(image, Image)
    assert image.priority is Priority.INTERACTIVE


def test_a_broker_that_is_down_costs_the_stamp_and_not_the_image(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, database: Database, publisher: FakePublisher
) -> None:
    publisher.down = True
    ingest.receive(caller, job_id, [arrived()])
    with database.read() as session:
        assert session.scalars(select(Image.published_at)).all() == [None]


def test_a_stamp_that_cannot_be_taken_back_does_not_undo_what_is_committed(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, publisher: FakePublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def gone(*_: Any) -> NoReturn:
        raise OperationalError("UPDATE", None, Exception("server closed the connection"))

    publisher.down = True
    monkeypatch.setattr("db.jobs.unpublish", gone)
    (image,) = ingest.receive(caller, job_id, [arrived()])
    assert isinstance(image, Image)


def test_known_bytes_are_added_and_unknown_ones_asked_for(
    ingest: Ingest, jobs: Jobs, caller: Caller, job_id: int, arrived: MakeFile
) -> None:
    (sent,) = ingest.receive(caller, job_id, [arrived()])
    assert isinstance(sent, Image)
    second = jobs.create(caller, "again", Priority.BULK)[0].id
    known, unknown = ingest.receive_known(caller, second, [("b.png", sent.sha256), ("c.png", "0" * 64)])
    assert known is not None
    assert (known.job_id, known.filename, known.width_px) == (second, "b.png", sent.width_px)
    assert unknown is None


def test_another_users_bytes_are_not_known(
    ingest: Ingest, caller: Caller, job_id: int, arrived: MakeFile, database: Database
) -> None:
    (sent,) = ingest.receive(caller, job_id, [arrived()])
    assert isinstance(sent, Image)
    with database.begin() as session:
        bob = factories.user(session, "bob")
        other = Caller(bob.id, bob.name, bob.role)
    assert ingest.receive_known(other, job_id, [("b.png", sent.sha256)]) == [None]


def test_a_cancelled_job_takes_nothing_more(
    ingest: Ingest, jobs: Jobs, caller: Caller, job_id: int, arrived: MakeFile
) -> None:
    jobs.cancel(caller, job_id)
    with pytest.raises(Conflict, match=f"Job {job_id} was cancelled"):
        ingest.receive(caller, job_id, [arrived()])


@pytest.mark.parametrize("job_id", [404, 2**63, 10**40])
def test_a_job_that_is_not_there_is_told_before_the_bytes(ingest: Ingest, caller: Caller, job_id: int) -> None:
    with pytest.raises(NotFound, match=f"There is no job {job_id}"):
        ingest.admit(caller, job_id)


def test_a_store_that_is_not_ours_takes_nothing(ingest: Ingest, caller: Caller, store: LocalBlobStore) -> None:
    before = store.store_id()
    assert before is not None
    store.make("2" * 32)
    try:
        with pytest.raises(StorageUnavailable):
            ingest.admit(caller)
        with pytest.raises(StorageUnavailable):
            ingest.spools().new()
    finally:
        store.make(before)


def test_files_that_their_sender_cannot_read_are_noted(ingest: Ingest, job_id: int, database: Database) -> None:
    ingest.reject(job_id, [Rejected("b\0.png", "not_sent", "It cannot be\x07 read.")])
    with database.read() as session:
        noted = session.scalars(select(Rejection)).one()
    assert (noted.filename, noted.message) == ("b\N{REPLACEMENT CHARACTER}.png", "It cannot be read.")
