"""The filter above a list: its fields as typed, and the part of it that stands in the page's address.

One field may hold a person's name. Logs and browser histories keep addresses, so an address never has that field: a key
stands for it (`services/searches.py`). A ValueError's text is a sentence for the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from services import searches
from web.auth import user
from web.dependencies import dependencies

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class FilterForm:
    """What the filters of all lists have. Days are inclusive, in UTC; `search` is the key for the name field."""

    name_field: ClassVar[str]
    name_words: ClassVar[str]

    from_day: str = ""
    to_day: str = ""
    search: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """From the fields of a form or from an address."""
        values = {field.name: given.get(_label(field.name), "").strip() for field in fields(cls)}
        return cls(**values | {cls.name_field: cls.clean_name(values[cls.name_field])})

    @staticmethod
    def clean_name(text: str) -> str:
        """What is kept of the text in the name field."""
        raise NotImplementedError

    @classmethod
    def names(cls) -> frozenset[str]:
        """The names that its fields have in an address."""
        return frozenset(_label(field.name) for field in fields(cls)) - {cls.name_field}

    @property
    def query(self) -> dict[str, Any]:
        """The filter in an address: all of its fields but the name."""
        values = asdict(self) | {self.name_field: ""}
        return {_label(name): value for name, value in values.items() if value}

    @property
    def days(self) -> tuple[datetime | None, datetime | None]:
        """From the start of one day to the end of another; None: no limit.

        Raises:
            ValueError: one is no date, they are the wrong way round, or the last day is the last of the calendar.
        """
        since, last_day = _day("from", self.from_day), _day("to", self.to_day)
        if since and last_day and last_day < since:
            raise ValueError("The day “from” is after the day “to”: swap them.")
        try:
            return since, last_day + timedelta(days=1) if last_day else None
        except OverflowError:
            raise ValueError("The day “to” is too far in the future.") from None

    def show(self, endpoint: str) -> ResponseReturnValue:
        """Redirect to the page at `endpoint` with this filter in its address, and a key in place of the name."""
        name = getattr(self, self.name_field)
        key = searches.keep(dependencies().database, user().id, name)[0] if name else ""
        return redirect(url_for(endpoint, **replace(self, search=key).query), 303)

    def with_name(self, address: Mapping[str, str]) -> Self:
        """This filter, read from `address`, with the name that its key stands for.

        Raises:
            ValueError: the key is not known any more, or the address has the name itself.
        """
        if self.name_field in address:
            sentence = f"{self.name_words} no longer stands in an address, for logs keep those."
            raise ValueError(f"{sentence} Press “Filter” to search for it.")
        if not self.search:
            return self
        name: Any = {self.name_field: searches.text_of(dependencies().database, user().id, self.search)}
        return replace(self, **name)


def member(kind: type[Word], given: str) -> Word | None:
    """Raises ValueError: it is neither empty nor a word of this kind."""
    if not given:
        return None
    try:
        return kind(given)
    except ValueError:
        raise ValueError("The filter holds a word that is not in its list: choose one from the list.") from None


def _label(field: str) -> str:
    """The name of a field in forms and addresses; `from` is a keyword of Python."""
    return field.removesuffix("_day")


def _day(name: str, given: str) -> datetime | None:
    if not given:
        return None
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC)
    except ValueError:
        raise ValueError(f"The day “{name}” is no date: write it as 2026-11-23.") from None
