"""Lists of images: the same rows as a plain look at each would give, in the same order, and from an index."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from db import narrowing, queries
from db.models import Image, Job
from db.narrowing import Filters
from db.session import Database, now
from db.states import Decision, ImageState
from tests import factories
from tests.unit.db.conftest import Desk

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("scan", "SCAN", "Thorax", "o'hara", "100%", "a_b", '"quoted" AND', "back\\slash", "öl", "x-y*z", "ab")
ROWS = 120


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
                    **{"media_type": "image/png", "size_bytes": 1, "width_px": 1, "height_px": 1},
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
            page = queries.images(session, filters, cursor=cursor, limit=limit, newest_first=newest_first)
            seen += [image.id for image in page.items]
            if page.next_cursor is None:
                return seen
            cursor = page.next_cursor


days = st.none() | st.integers(-12, 13).map(lambda day: DAY_ZERO + timedelta(days=day))
parts = st.none() | st.sampled_from(["", "a", "sca", "SCAN", "o'h", "0%", "_", '"', '" AND', "\\sl", "y*z", "n-T", "zzz"])
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


@hypothesis_settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=any_filters, limit=st.integers(3, 40), look=st.sampled_from([0, 5, 5000]), newest_first=st.booleans())
def test_filters_give_the_rows_that_a_look_at_each_would_give(
    desk: Desk, archive: list[Image], filters: Filters, limit: int, look: int, newest_first: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrowing, "LOOK_THROUGH", look)
        found = in_pages(desk.database, filters, limit, newest_first=newest_first)
    assert found == by_hand(archive, filters, newest_first=newest_first)
