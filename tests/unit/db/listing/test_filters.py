"""Lists of images: the same rows as a plain look at each would give, in the same order, and from an index."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session, joinedload

from core.kinds import View
from db import claims, outcomes
from db.listing import images, search
from db.listing.filters import Filters, Reviewed
from db.listing.order import Sort, order_of
from db.session import Database, now
from db.states import Decision, ImageState, Opinion
from db.tables import Image, Prediction, Review
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.db.conftest import Desk
from tests.unit.db.plans import plans, recorded

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("scan", "SCAN", "Thorax", "o'hara", "100%", "a_b", '"quoted" AND', "back\\slash", "öl", "x-y*z", "ab")
ROWS = 80
OTHER_MODEL = "e" * 64
PROBABILITIES = (0.0, 0.1, 0.1 + 1e-9, 0.5, 0.7, 0.7, 0.9, 1.0)
NEWEST = order_of(Sort.NEWEST, of_one_job=False)


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
                    **(judged(pick) if state is ImageState.DONE else {"decision": None, "view": None}),
                    "priority": job.priority,
                    "assignee_id": pick.choice([None, 1, 2]),
                    "created_at": DAY_ZERO + timedelta(days=day, hours=pick.randrange(24)),
                }
            )
        session.execute(insert(Image), rows)
        factories.model(session, OTHER_MODEL, "other")
        for image in session.scalars(select(Image).where(Image.decision.is_not(None))):
            predict(session, desk, pick, image)
        outcomes.fill_in_for_lists(session)
        for user_id, image in enumerate(session.scalars(select(Image).where(Image.opinion == Opinion.AGREE)), 1):
            add_review(session, image, user_id % 3 + 1, pick.choice(list(Opinion)))
        session.expire_all()
        reviewed_by = select(Image).options(joinedload(Image.primary_prediction).selectinload(Prediction.reviews))
        return list(session.scalars(reviewed_by.where(Image.job_id != jobs[1].id)))


def predict(session: Session, desk: Desk, pick: random.Random, image: Image) -> None:
    """A prediction of one of two models, a few of them equally sure; half of those that judge get a review."""
    prediction = Prediction(
        image_id=image.id,
        model_sha256=pick.choice([FAKE_SHA256, OTHER_MODEL]),
        probability=pick.choice(PROBABILITIES),
        threshold=0.5,
        decision=Decision(image.decision or ""),
        created_at=DAY_ZERO,
    )
    session.add(prediction)
    session.flush()
    image.primary_prediction_id = prediction.id
    if prediction.decision is not Decision.REFUSED and pick.random() < 0.5:
        add_review(session, image, pick.choice([desk.user, *desk.others]).id, pick.choice(list(Opinion)))


def add_review(session: Session, image: Image, user_id: int, opinion: Opinion) -> None:
    session.add(
        Review(
            prediction_id=image.primary_prediction_id, user_id=user_id, opinion=opinion, note="", created_at=DAY_ZERO
        )
    )
    session.flush()


def judged(pick: random.Random) -> dict[str, str | None]:
    """A decision, and a view that goes with it, or none."""
    decision = pick.choice(list(Decision))
    views = (View.LATERAL,) if decision is Decision.REFUSED else (View.PA, View.AP)
    return {"decision": decision, "view": pick.choice([None, *views])}


def by_hand(images: Sequence[Image], filters: Filters, sort: Sort) -> list[int]:
    """What the filters mean, one image after the other."""
    wanted = [
        image
        for image in images
        if filters.job_id in (None, image.job_id)
        and filters.user_id in (None, image.user_id)
        and filters.assignee_id in (None, image.assignee_id)
        and filters.state in (None, image.state)
        and filters.decision in (None, image.decision)
        and filters.view in (None, image.view)
        and (filters.ids is None or image.id in filters.ids)
        and (filters.since is None or image.created_at >= filters.since)
        and (filters.until is None or image.created_at < filters.until)
        and (filters.filename or "").lower() in image.filename.lower()
        and is_said(filters, image.primary_prediction)
    ]
    return [image.id for image in sorted(wanted, key=key_by_hand(filters, sort), reverse=sort is Sort.NEWEST)]


def is_said(filters: Filters, primary: Prediction | None) -> bool:
    """Whether the prediction and its reviews meet the conditions on them."""
    judged = primary is not None and primary.decision is not Decision.REFUSED
    probability = primary.probability if primary and judged else math.nan
    said = [review.opinion for review in primary.reviews] if primary else []
    return (
        (filters.least is None or probability >= filters.least)
        and (filters.most is None or probability <= filters.most)
        and filters.opinion in (None, *said[-1:])
        and (filters.reviewed is None or (judged and bool(said) is (filters.reviewed is Reviewed.YES)))
        and filters.reviewer_id in (None, *(review.user_id for review in (primary.reviews if primary else [])))
        and (filters.model is None or (primary is not None and primary.model_sha256.startswith(filters.model)))
    )


def key_by_hand(filters: Filters, sort: Sort) -> Callable[[Image], tuple[Any, ...]]:
    if sort is Sort.SUSPICION:
        return lambda i: (i.suspicion_rank, i.created_at, i.id)
    if sort is Sort.NAME:
        return lambda i: (i.filename, i.id)
    return (lambda i: (i.id,)) if filters.job_id else (lambda i: (i.created_at, i.id))


def in_pages(database: Database, filters: Filters, limit: int, sort: Sort) -> list[int]:
    seen: list[int] = []
    cursor: int | None = None
    with database.read() as session:
        while True:
            page = images.page(session, filters, cursor=cursor, limit=limit, sort=sort)
            seen += [image.id for image in page.items]
            if page.next_cursor is None:
                return seen
            cursor = page.next_cursor


days = st.none() | st.integers(-12, 13).map(lambda day: DAY_ZERO + timedelta(days=day))
parts = st.none() | st.sampled_from(
    ["", "a", "sca", "SCAN", "o'h", "0%", "_", '"', '" AND', "\\sl", "y*z", "n-T", "zzz"]
)


def rarely(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A condition that most of the filters lack, or nothing would be left to compare."""
    return st.none() | st.none() | st.none() | st.none() | values


any_filters = st.builds(
    Filters,
    job_id=st.none() | st.none() | st.integers(1, 6),
    state=st.none() | st.sampled_from(ImageState),
    decision=st.none() | st.sampled_from(Decision),
    view=st.none() | st.sampled_from(View),
    since=days,
    until=days,
    filename=parts,
    user_id=rarely(st.integers(1, 4)),
    assignee_id=rarely(st.integers(1, 3)),
    ids=rarely(st.lists(st.integers(1, ROWS), min_size=1).map(tuple)),
    least=rarely(st.sampled_from(PROBABILITIES)),
    most=rarely(st.sampled_from(PROBABILITIES)),
    reviewed=rarely(st.sampled_from(Reviewed)),
    opinion=rarely(st.sampled_from(Opinion)),
    reviewer_id=rarely(st.integers(1, 4)),
    model=rarely(st.sampled_from([FAKE_SHA256[:12], OTHER_MODEL[:12], "0" * 12])),
)


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    filters=any_filters,
    limit=st.integers(8, 40),
    look_through=st.sampled_from([0, 5, 5000]),
    sort=st.sampled_from(Sort),
)
def test_filters_give_the_rows_that_a_look_at_each_would_give(
    desk: Desk, archive: list[Image], filters: Filters, limit: int, look_through: int, sort: Sort
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LOOK_THROUGH", look_through)
        listed = in_pages(desk.database, filters, limit, sort)
    assert listed == by_hand(archive, filters, sort)


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
    ("filters", "sort", "index"),
    [
        (Filters(), Sort.NEWEST, "ix_images_created_at_id"),
        (Filters(since=DAY_ZERO, until=DAY_ZERO), Sort.NEWEST, "ix_images_created_at_id"),
        (Filters(state=ImageState.DONE), Sort.NEWEST, "ix_images_created_at_id"),
        (Filters(state=ImageState.QUEUED, user_id=1), Sort.NEWEST, "ix_images_waiting"),
        (Filters(state=ImageState.RUNNING), Sort.NEWEST, "ix_images_running"),
        (Filters(state=ImageState.FAILED, until=DAY_ZERO), Sort.NEWEST, "ix_images_failed"),
        (Filters(state=ImageState.CANCELLED), Sort.NEWEST, "ix_images_cancelled"),
        (Filters(decision=Decision.REFUSED, state=ImageState.DONE, since=DAY_ZERO), Sort.NEWEST, "ix_images_decided"),
        (Filters(decision=Decision.REFUSED, user_id=1), Sort.NEWEST, "ix_images_user_id_created_at_id"),
        (Filters(view=View.LATERAL), Sort.NEWEST, "ix_images_viewed"),
        (Filters(view=View.AP, decision=Decision.PNEUMONIA, since=DAY_ZERO), Sort.NEWEST, "ix_images_viewed"),
        (Filters(view=View.PA, user_id=1), Sort.NEWEST, "ix_images_user_id_created_at_id"),
        (Filters(job_id=1), Sort.OLDEST, "ix_images_job_id_id"),
        (Filters(job_id=1, state=ImageState.FAILED), Sort.OLDEST, "ix_images_job_id_state_id"),
        (Filters(job_id=1, decision=Decision.REFUSED), Sort.OLDEST, "ix_images_progress"),
        (Filters(assignee_id=1, decision=Decision.PNEUMONIA), Sort.NEWEST, "ix_images_assigned"),
        (Filters(opinion=Opinion.DISAGREE), Sort.NEWEST, "ix_images_reviewed"),
        (Filters(reviewed=Reviewed.YES, since=DAY_ZERO), Sort.OLDEST, "ix_images_reviewed"),
        (Filters(reviewer_id=1), Sort.SUSPICION, "ix_reviews_user_id_prediction_id"),
        (Filters(), Sort.SUSPICION, "ix_images_by_suspicion"),
        (Filters(reviewed=Reviewed.NO, user_id=1, view=View.AP), Sort.SUSPICION, "ix_images_by_suspicion"),
        (Filters(job_id=1, since=DAY_ZERO, least=0.5), Sort.SUSPICION, "ix_images_by_suspicion"),
        (Filters(state=ImageState.FAILED), Sort.SUSPICION, "ix_images_failed"),
        (Filters(state=ImageState.DONE, opinion=Opinion.AGREE), Sort.NAME, "ix_images_by_name"),
    ],
)
def test_the_condition_that_leads_is_answered_by_its_index(
    desk: Desk, filters: Filters, sort: Sort, index: str
) -> None:
    desk.job(3)

    def page(session: Session) -> None:
        images.page(session, filters, limit=50, sort=sort)

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
        images_by_name = session.scalars(search.by_name(session, Filters(filename="image"), NEWEST, None)).all()
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
            query = search.by_name(session, Filters(filename=part), NEWEST, None)
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
