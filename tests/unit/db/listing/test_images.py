"""Pages of images: filters, file names, and pages without gaps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db import jobs
from db.listing import images
from db.listing.filters import Filters
from db.listing.order import Sort
from db.session import now
from db.states import Decision, ImageState
from db.tables import Job
from tests.testing import factories
from tests.unit.db.conftest import Desk

by_time = st.sampled_from([Sort.NEWEST, Sort.OLDEST])


def ids_of(desk: Desk, filters: Filters) -> list[int]:
    with desk.database.read() as session:
        return [image.id for image in images.page(session, filters).items]


def test_an_image_is_read_with_its_job_prediction_and_model(desk: Desk) -> None:
    job, (image_id,) = desk.job(1)
    desk.finish(desk.claim())
    with desk.database.read() as session:
        image = images.get(session, image_id)
    assert image is not None
    assert image.primary_prediction is not None
    assert (image.job.name, image.primary_prediction.model.name) == (job.name, "fake-brightness")


def test_an_image_that_is_not_there_is_none(desk: Desk) -> None:
    with desk.database.read() as session:
        assert images.get(session, 404) is None


def test_a_last_page_that_is_just_full_has_no_next(desk: Desk) -> None:
    desk.job(3)
    with desk.database.read() as session:
        assert images.page(session, Filters(), limit=3).next_cursor is None
        assert images.page(session, Filters(), limit=2).next_cursor is not None


def test_images_are_filtered_by_job_state_or_decision(desk: Desk) -> None:
    _, first = desk.job(2)
    second_job, second = desk.job(1)
    desk.finish(desk.claim(1))
    assert ids_of(desk, Filters(job_id=second_job.id)) == second
    assert ids_of(desk, Filters(state=ImageState.DONE)) == first[:1]
    assert ids_of(desk, Filters(decision=Decision.PNEUMONIA)) == first[:1]
    assert ids_of(desk, Filters(decision=Decision.NORMAL)) == []


def test_images_are_filtered_by_a_time_whose_end_is_exclusive(desk: Desk) -> None:
    desk.job(1)
    (image,) = desk.images()
    at, tick = image.created_at, timedelta(microseconds=1)
    assert ids_of(desk, Filters(since=at)) == [image.id]
    assert ids_of(desk, Filters(since=at + tick)) == []
    assert ids_of(desk, Filters(until=at)) == []
    assert ids_of(desk, Filters(until=at + tick)) == [image.id]


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("%", ["100%.png"]),
        ("_", ["a_b.png"]),
        ("\\", ["back\\slash.png"]),
        ("/", ["folder/x.png"]),
        ("A_B", ["a_b.png"]),
        ("'", ["o'hara.png"]),
        ("", ["100%.png", "a_b.png", "aXb.png", "back\\slash.png", "folder/x.png", "o'hara.png"]),
        ("zzz", []),
    ],
)
def test_a_part_of_a_file_name_is_taken_literally_and_without_case(desk: Desk, part: str, names: list[str]) -> None:
    files = ["100%.png", "a_b.png", "aXb.png", "back\\slash.png", "folder/x.png", "o'hara.png"]
    with desk.database.begin() as session:
        job = factories.job(session, desk.user)
        new = [jobs.NewImage(name, f"{number:064x}", "image/png", 1, 1, 1) for number, name in enumerate(files)]
        jobs.add_images(session, job, new, now(session))
    with desk.database.read() as session:
        page = images.page(session, Filters(filename=part), sort=Sort.OLDEST)
    assert [image.filename for image in page.items] == names


@given(limit=st.integers(1, 7), before=st.integers(0, 12), during=st.integers(0, 3), sort=by_time)
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_have_no_gap_and_no_repeat_while_rows_are_added(
    desk: Desk, limit: int, before: int, during: int, sort: Sort
) -> None:
    job, expected = desk.job(before)
    seen: list[int] = []
    cursor: int | None = None
    while True:
        with desk.database.begin() as session:
            mine = session.get_one(Job, job.id)
            page = images.page(session, Filters(job_id=job.id), cursor=cursor, limit=limit, sort=sort)
            seen += [image.id for image in page.items]
            if cursor is None:
                factories.images(session, mine, during, prefix="late")
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(expected) <= set(seen)
    assert seen == sorted(seen, reverse=sort is Sort.NEWEST)
