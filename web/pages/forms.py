"""What the filters of several pages read from the fields of a form. A ValueError's text is a sentence for the user."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

Word = TypeVar("Word", bound=StrEnum)


def days(first: str, last: str) -> tuple[datetime | None, datetime | None]:
    """From the start of a day to the end of another, UTC, as typed into the fields “from” and “to”; empty: no limit.

    Raises:
        ValueError: one is no date, they are the wrong way round, or the last is the last of all.
    """
    since, last_day = _day("from", first), _day("to", last)
    if since and last_day and last_day < since:
        raise ValueError("The day “from” is after the day “to”: swap them.")
    try:
        return since, last_day + timedelta(days=1) if last_day else None
    except OverflowError:
        raise ValueError("The day “to” is too far in the future.") from None


def _day(name: str, given: str) -> datetime | None:
    if not given:
        return None
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC)
    except ValueError:
        raise ValueError(f"The day “{name}” is no date: write it as 2026-11-23.") from None


def member(kind: type[Word], given: str) -> Word | None:
    """Raises ValueError: it is neither empty nor a word of this kind."""
    if not given:
        return None
    try:
        return kind(given)
    except ValueError:
        raise ValueError("The filter holds a word that is not in its list: choose one from the list.") from None
