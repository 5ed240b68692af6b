"""Jobs and their images on the way in: made once, however often they are sent."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from db import jobs
from db.jobs import NewImage
from db.session import now
from db.states import ImageState, Priority
from db.tables import MAX_FILENAME, Image, Job, User
from tests.testing import factories


def new(filename: str = "a.png", sha256: str = "a" * 64) -> NewImage:
    return NewImage(filename, sha256, "image/png", 10, 4, 5)


@pytest.fixture
def ada(session: Session) -> User:
    return factories.user(session)


def create(session: Session, user: User, key: str | None) -> tuple[int, bool]:
    job, is_new = jobs.create(
        session, user_id=user.id, name="x", priority=Priority.BULK, client_key=key, now=now(session)
    )
    return job.id, is_new


def test_a_job_without_a_key_is_always_new(session: Session, ada: User) -> None:
    (first, first_new), (second, second_new) = create(session, ada, None), create(session, ada, None)
    assert first != second
    assert first_new
    assert second_new


def test_a_key_used_before_gives_the_same_job(session: Session, ada: User) -> None:
    first, _ = create(session, ada, "k")
    assert create(session, ada, "k") == (first, False)


def test_keys_of_different_users_do_not_meet(session: Session, ada: User) -> None:
    first, _ = create(session, ada, "k")
    second, is_new = create(session, factories.user(session, "bob"), "k")
    assert second != first
    assert is_new


def test_images_are_queued_in_the_order_sent_with_the_priority_of_their_job(session: Session, ada: User) -> None:
    job = factories.job(session, ada, priority=Priority.INTERACTIVE)
    rows = jobs.add_images(session, job, [new("b.png"), new("a.png", "b" * 64), new("c.png")], now(session))
    assert [row.filename for row in rows] == ["b.png", "a.png", "c.png"]
    assert {(row.state, row.priority, row.attempt, row.published_at) for row in rows} == {
        (ImageState.QUEUED, Priority.INTERACTIVE, 0, None)
    }


def test_the_facts_of_a_file_are_kept(session: Session, ada: User) -> None:
    (row,) = jobs.add_images(session, factories.job(session, ada), [new()], now(session))
    assert (row.sha256, row.media_type, row.size_bytes, row.width_px, row.height_px) == (
        "a" * 64,
        "image/png",
        10,
        4,
        5,
    )


def test_no_images_are_no_work(session: Session, ada: User) -> None:
    assert jobs.add_images(session, factories.job(session, ada), [], now(session)) == []


def test_a_file_sent_again_keeps_its_row_and_its_state(session: Session, ada: User) -> None:
    job = factories.job(session, ada)
    (row,) = jobs.add_images(session, job, [new()], now(session))
    row.state = ImageState.DONE
    session.flush()
    again = jobs.add_images(session, job, [new(), new()], now(session))
    assert [(image.id, image.state) for image in again] == [(row.id, ImageState.DONE)] * 2


def test_one_content_under_two_names_is_two_images(session: Session, ada: User) -> None:
    rows = jobs.add_images(session, factories.job(session, ada), [new("a.png"), new("b.png")], now(session))
    assert len({row.id for row in rows}) == 2


def test_one_name_with_two_contents_is_two_images(session: Session, ada: User) -> None:
    job = factories.job(session, ada)
    rows = jobs.add_images(session, job, [new(sha256="a" * 64), new(sha256="b" * 64)], now(session))
    assert len({row.id for row in rows}) == 2


def test_the_longest_name_of_the_widest_characters_fits(session: Session, ada: User) -> None:
    name = "\U0001fac1" * MAX_FILENAME
    (row,) = jobs.add_images(session, factories.job(session, ada), [new(name)], now(session))
    session.expire(row)
    assert row.filename == name


def test_a_thousand_files_at_once_come_back_in_order(session: Session, ada: User) -> None:
    files = [new(f"{number}.png", f"{number:064x}") for number in reversed(range(1000))]
    rows = jobs.add_images(session, factories.job(session, ada), files, now(session))
    assert [row.filename for row in rows] == [file.filename for file in files]


def test_what_a_user_sent_before_is_known_by_its_hash(session: Session, ada: User) -> None:
    jobs.add_images(session, factories.job(session, ada), [new("first.png"), new("second.png")], now(session))
    known = jobs.known(session, user_id=ada.id, sha256s=["a" * 64, "b" * 64])
    assert list(known) == ["a" * 64]
    assert (known["a" * 64].width_px, known["a" * 64].height_px) == (4, 5)


def test_knowing_a_hash_gives_no_access_to_what_others_sent(session: Session, ada: User) -> None:
    jobs.add_images(session, factories.job(session, ada), [new()], now(session))
    assert jobs.known(session, user_id=factories.user(session, "bob").id, sha256s=["a" * 64]) == {}


def test_rows_of_another_job_are_not_found_in_this_one(session: Session, ada: User) -> None:
    first, second = factories.job(session, ada), factories.job(session, ada)
    (a,) = jobs.add_images(session, first, [new()], now(session))
    (b,) = jobs.add_images(session, second, [new()], now(session))
    assert (a.job_id, b.job_id) == (first.id, second.id)
    assert isinstance(b, Image)


def test_both_databases_keep_a_name_character_by_character(session: Session, ada: User) -> None:
    names = [" spaced \t", "bell\x07", "line\nbreak", "\u202ertl\u200d", "ü", "u\u0308", "\U0010ffff" * MAX_FILENAME]
    job_id, _ = create(session, ada, None)
    job = session.get_one(Job, job_id)

    images = jobs.add_images(session, job, [new(name) for name in names], now(session))
    session.expire_all()

    assert [image.filename for image in images] == names
    assert [image.id for image in jobs.add_images(session, job, [new(name) for name in names], now(session))] == [
        image.id for image in images
    ]
