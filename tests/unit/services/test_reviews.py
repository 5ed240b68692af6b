"""Reviews: added, never overwritten, and only of a prediction that judged the image."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.errors import Conflict, NotFound
from db.session import Database, now
from db.states import Decision, Opinion
from db.tables import AuditEntry, Image, Prediction, Review, User
from services.caller import Caller
from services.reviews import review
from tests.testing import factories


@pytest.fixture
def image_id(database: Database, caller: Caller) -> int:
    with database.begin() as session:
        (image,) = factories.images(session, factories.job(session, session.get_one(User, caller.user_id)), 1)
        return image.id


def predict(database: Database, image_id: int, decision: Decision) -> None:
    with database.begin() as session:
        model = factories.model(session)
        at = now(session)
        session.add(
            Prediction(
                image_id=image_id, model_sha256=model, probability=0.9, threshold=0.5, decision=decision, created_at=at
            )
        )
        session.get_one(Image, image_id).decision = decision


def test_each_review_is_kept_with_its_author(database: Database, caller: Caller, image_id: int) -> None:
    predict(database, image_id, Decision.PNEUMONIA)
    review(database, caller, image_id, Opinion.DISAGREE, "  motion\n blur ")
    review(database, caller, image_id, Opinion.UNSURE, "")
    with database.read() as session:
        rows = session.scalars(select(Review).order_by(Review.id)).all()
        assert [(row.opinion, row.note, row.user_id) for row in rows] == [
            ("disagree", "motion blur", caller.user_id),
            ("unsure", "", caller.user_id),
        ]
        assert session.scalars(select(AuditEntry.detail).order_by(AuditEntry.id)).all() == ["disagree", "unsure"]


def test_what_was_not_judged_cannot_be_reviewed(database: Database, caller: Caller, image_id: int) -> None:
    with pytest.raises(Conflict, match="nothing to review yet"):
        review(database, caller, image_id, Opinion.AGREE, "")
    predict(database, image_id, Decision.REFUSED)
    with pytest.raises(Conflict, match="did not judge"):
        review(database, caller, image_id, Opinion.AGREE, "")
    with database.read() as session:
        assert session.scalars(select(Review)).all() == []


def test_an_image_that_is_not_there_cannot_be_reviewed(database: Database, caller: Caller) -> None:
    with pytest.raises(NotFound, match="There is no image 404"):
        review(database, caller, 404, Opinion.AGREE, "")
