"""Lists of images: the same rows as a plain look at each would give, in the same order, and from an index."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from db import claims
from db.listing import images, search
from db.listing.filters import Filters
from db.session import Database, now
from db.states import Decision, ImageState
from db.tables import Image
from tests.testing import factories
from tests.unit.db.conftest import Desk
from tests.unit.db.plans import plans, recorded

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("scan", "SCAN", "Thorax", "o'hara", "100%", "a_b", '"quoted" AND', "back\\slash", "öl", "x-y*z", "ab")
ROWS = 80


@pytest.fixture
def archive(desk: Desk) -> list[Image]:
    """Images of three users in several jobs, one of them deleted; a clock that was set back in between."""
    pick = random.Random(1)
    rows = []
    with desk.database.begin() as session:
        jobs = [factories.job(session, owner) for owner in (desk.user, *desk.others) for _ in range(2)]
        jobs[1].deleted_at = now(session)
        for number in range(ROWS):
            job = pick.choice(jobs)
            state = pick.choice([*ImageState, *[ImageState.DONE] * 5])
            day = number // 10 - (20 if 50 < number < 60 else 0)
            rows.append(
                {
                    "job_id": job.id,
                    "user_id": job.user_id,
                    "filename": f"{pick.choice(NAMES)}-{pick.choice(NAMES)}.png",
                    "sha256": f"{number:064x}",
                    "media_type": "image/png",
                    "size_bytes": 1,
                    "width_px": 1,
                    "height_px": 1,
                    "state": state,
                    "decision": pick.choice(list(Decision)) if state is ImageState.DONE else None,
                    "priority": job.priority,
                    "created_at": DAY_ZERO + timedelta(days=day, hours=pick.randrange(24)),
                }
            )
        session.execute(insert(Image), rows)
        return list(session.scalars(select(Image).where(Image.job_id != jobs[1].id)))


def by_hand(images: Sequence[Image], filters: Filters, *, newest_first: bool) -> list[int]:
    """What the filters mean, one image after the other."""
    wanted = [
        image
        for image in images
        if filters.job_id in (None, image.job_id)
        and filters.user_id in (None, image.user_id)
        and filters.state in (None, image.state)
        and filters.decision in (None, image.decision)
        and (filters.since is None or image.created_at >= filters.since)
        and (filters.until is None or image.created_at < filters.until)
        and (filters.filename or "").lower() in image.filename.lower()
    ]
    key = (lambda i: (i.id,)) if filters.job_id else (lambda i: (i.created_at, i.id))
    return [image.id for image in sorted(wanted, key=key, reverse=newest_first)]


def in_pages(database: Database, filters: Filters, limit: int, *, newest_first: bool) -> list[int]:
    seen: list[int] = []
    cursor: int | None = None
    with database.read() as session:
        while True:
            page = images.page(session, filters, cursor=cursor, limit=limit, newest_first=newest_first)
            seen += [image.id for image in page.items]
            if page.next_cursor is None:
                return seen
            cursor = page.next_cursor


days = st.none() | st.integers(-12, 13).map(lambda day: DAY_ZERO + timedelta(days=day))
parts = st.none() | st.sampled_from(
    ["", "a", "sca", "SCAN", "o'h", "0%", "_", '"', '" AND', "\\sl", "y*z", "n-T", "zzz"]
)
any_filters = st.builds(
    Filters,
    job_id=st.none() | st.none() | st.integers(1, 6),
    state=st.none() | st.sampled_from(ImageState),
    decision=st.none() | st.sampled_from(Decision),
    since=days,
    until=days,
    filename=parts,
    user_id=st.none() | st.integers(1, 4),
)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=any_filters, limit=st.integers(8, 40), look=st.sampled_from([0, 5, 5000]), newest_first=st.booleans())
def test_filters_give_the_rows_that_a_look_at_each_would_give(
    desk: Desk, archive: list[Image], filters: Filters, limit: int, look: int, newest_first: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LOOK_THROUGH", look)
        listed = in_pages(desk.database, filters, limit, newest_first=newest_first)
    assert listed == by_hand(archive, filters, newest_first=newest_first)


def test_a_page_goes_on_where_its_last_image_has_been_erased(desk: Desk) -> None:
    _, ids = desk.job(6)
    with desk.database.begin() as session:
        first = images.page(session, Filters(), limit=3)
        session.execute(delete(Image).where(Image.id == first.next_cursor))
        second = images.page(session, Filters(), limit=3, cursor=first.next_cursor)
    assert [image.id for image in second.items] == ids[2::-1]


def test_nothing_comes_after_the_oldest_image_once_it_is_erased(desk: Desk) -> None:
    _, ids = desk.job(2)
    with desk.database.begin() as session:
        session.execute(delete(Image).where(Image.id == ids[0]))
        assert images.page(session, Filters(), cursor=ids[0]).items == []


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(), "ix_images_created_at_id"),
        (Filters(since=DAY_ZERO, until=DAY_ZERO), "ix_images_created_at_id"),
        (Filters(state=ImageState.DONE), "ix_images_created_at_id"),
        (Filters(state=ImageState.QUEUED, user_id=1), "ix_images_waiting"),
        (Filters(state=ImageState.RUNNING), "ix_images_running"),
        (Filters(state=ImageState.FAILED, until=DAY_ZERO), "ix_images_failed"),
        (Filters(state=ImageState.CANCELLED), "ix_images_cancelled"),
        (Filters(decision=Decision.REFUSED, state=ImageState.DONE, since=DAY_ZERO), "ix_images_decided"),
        (Filters(decision=Decision.REFUSED, user_id=1), "ix_images_user_id_created_at_id"),
        (Filters(job_id=1), "ix_images_job_id_id"),
        (Filters(job_id=1, state=ImageState.FAILED), "ix_images_job_id_state_id"),
        (Filters(job_id=1, decision=Decision.REFUSED), "ix_images_progress"),
    ],
)
def test_the_condition_that_leads_is_answered_by_its_index(desk: Desk, filters: Filters, index: str) -> None:
    desk.job(3)

    def page(session: Session) -> None:
        images.page(session, filters, limit=50, newest_first=filters.job_id is None)

    found_by = plans(desk, page)
    if desk.database.engine.dialect.name == "sqlite":
        assert index in found_by
    else:  # which index, PostgreSQL decides by its statistics, and of three rows it has none
        assert "Seq Scan on images" not in found_by


def _read_images(limit: int, session: Session) -> None:
    images.page(session, Filters(filename="image"), limit=limit)


def test_a_name_is_looked_up_among_all_names_only_if_the_next_rows_do_not_fill_the_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOK_THROUGH", 5)
    desk.job(20)
    lookup = "image_names" if desk.database.engine.dialect.name == "sqlite" else "MATERIALIZED"
    for limit, looked_up in ((3, False), (10, True)):
        with desk.database.read() as session:
            statements = recorded(session, partial(_read_images, limit))
        assert any(lookup in statement for statement, _ in statements) is looked_up


def test_an_erased_name_is_in_no_index(desk: Desk) -> None:
    desk.job(2)
    with desk.database.begin() as session:
        session.execute(delete(Image).where(Image.id == 1))
    with desk.database.read() as session:
        images_by_name = session.scalars(
            search.by_name(session, Filters(filename="image"), None, newest_first=True)
        ).all()
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("INSERT INTO image_names(image_names, rank) VALUES ('integrity-check', 1)"))
    assert [image.id for image in images_by_name] == [2]


def test_a_changed_name_is_found_by_its_new_letters_only(desk: Desk) -> None:
    desk.job(2)
    with desk.database.begin() as session:
        session.execute(update(Image).where(Image.id == 1).values(filename="okapi.png"))
    ids: dict[str, list[int]] = {}
    with desk.database.read() as session:
        for part in ("okapi", "image"):
            query = search.by_name(session, Filters(filename=part), None, newest_first=True)
            ids[part] = [image.id for image in session.scalars(query)]
    assert ids == {"okapi": [1], "image": [2]}


def test_a_claim_leaves_the_index_of_names_alone(desk: Desk) -> None:
    desk.job(2)
    with desk.database.begin() as session:
        sqlite = session.get_bind().dialect.name == "sqlite"
        pieces = text("SELECT id, hex(block) FROM image_names_data" if sqlite else "SELECT xmin::text FROM image_names")
        before = session.execute(pieces).all()
        claimed = claims.claim(session, worker="w", limit=2, lease_s=60, now=now(session))
        assert len(claimed) == 2
        assert before
        assert session.execute(pieces).all() == before
        if not sqlite:  # where an update writes every index of its row
            of_images = text("SELECT indexdef FROM pg_indexes WHERE tablename = 'images'")
            assert not [index for index in session.scalars(of_images) if "trgm" in index]
