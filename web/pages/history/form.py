"""The filter of the history as typed, and the images that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.kinds import View
from db.listing.filters import Filters, Reviewed
from db.listing.order import Sort
from db.outcomes import MODEL_DIGITS
from db.states import Decision, ImageState, Opinion
from services import filenames
from services.jobs import MAX_ID
from web.pages.filter_form import FilterForm, member

MAX_FILENAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class HistoryForm(FilterForm):
    """Its days are those on which images were sent. `least` and `most` are percent; people and jobs are numbers."""

    name_field: ClassVar[str] = "filename"
    name_words: ClassVar[str] = "A file name"

    filename: str = ""
    decision: str = ""
    view: str = ""
    state: str = ""
    review: str = ""
    reviewer: str = ""
    least: str = ""
    most: str = ""
    job: str = ""
    model: str = ""
    assignee: str = ""
    sort: str = ""

    @staticmethod
    def clean_name(text: str) -> str:
        return filenames.clean(text)[:MAX_FILENAME_CHARS]

    @property
    def order(self) -> Sort:
        """Raises ValueError, with a sentence for the user: there is no such order."""
        return member(Sort, self.sort) or Sort.NEWEST

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.query.keys() - {"sort"})

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = self.days
        least, most = _fraction("least", self.least), _fraction("most", self.most)
        if least is not None and most is not None and most < least:
            raise ValueError("The least probability is above the highest: swap them.")
        is_opinion = self.review in set(Opinion)
        return Filters(
            filename=self.filename or None,
            decision=member(Decision, self.decision),
            view=member(View, self.view),
            state=member(ImageState, self.state),
            since=since,
            until=until,
            least=least,
            most=most,
            opinion=Opinion(self.review) if is_opinion else None,
            reviewed=None if is_opinion else member(Reviewed, self.review),
            reviewer_id=_number("reviewed by", self.reviewer),
            job_id=_number("job", self.job),
            model=_model(self.model),
            assignee_id=_number("assigned to", self.assignee),
        )


def _fraction(name: str, given: str) -> float | None:
    """A percentage; people write it with a comma or a point, with or without its sign."""
    if not given:
        return None
    try:
        value = float(given.rstrip("% \u00a0").replace(",", ".")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"The {name} probability is a number from 0 to 100.")
    return value


def _number(name: str, given: str) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdecimal()) or not 1 <= int(given[:20]) <= MAX_ID:
        raise ValueError(f"The field “{name}” holds no number of one: choose or type it again.")
    return int(given)


def _model(given: str) -> str | None:
    if not given:
        return None
    if len(given) != MODEL_DIGITS or not set(given) <= set("0123456789abcdef"):
        raise ValueError("The filter holds a model that is not in its list: choose one from the list.")
    return given
