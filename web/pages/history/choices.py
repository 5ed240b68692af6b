"""What the choices of the history's filter offer, by the value that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.accounts import users
from db.listing.filters import Reviewed
from db.listing.order import Sort
from db.outcomes import MODEL_DIGITS
from db.states import Decision, ImageState, Opinion
from db.tables import Model
from web import permissions
from web.pages.words import DECISION_WORDS, STATE_WORDS, VIEW_WORDS

SORT_WORDS = {
    Sort.NEWEST: "newest first",
    Sort.OLDEST: "oldest first",
    Sort.SUSPICION: "most suspicious first",
    Sort.NAME: "by name",
}
REVIEW_WORDS = {
    Reviewed.NO.value: "unreviewed",
    Reviewed.YES.value: "reviewed",
    Opinion.DISAGREE.value: "disagreed with",
    Opinion.AGREE.value: "agreed with",
    Opinion.UNSURE.value: "unsure",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """Words by value. `readers` are the users who may review, by number, `assignable` those who still can sign in."""

    readers: Mapping[str, str]
    assignable: Mapping[str, str]
    models: Mapping[str, str]
    sorts = SORT_WORDS
    reviews = REVIEW_WORDS
    decisions = {decision.value: DECISION_WORDS[decision].lower() for decision in Decision}  # noqa: RUF012
    views = VIEW_WORDS
    states = {state.value: STATE_WORDS[state].lower() for state in ImageState}  # noqa: RUF012

    @classmethod
    def read(cls, session: Session) -> Choices:
        readers = [one for one in users.everyone(session) if permissions.is_reader(one.role)]
        models = session.execute(select(Model.sha256, Model.name).order_by(Model.created_at.desc()))
        return cls(
            readers={str(one.id): one.name for one in readers},
            assignable={str(one.id): one.name for one in readers if one.disabled_at is None},
            models={row.sha256[:MODEL_DIGITS]: f"{row.name} ({row.sha256[:6]})" for row in models},
        )
