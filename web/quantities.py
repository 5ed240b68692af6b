"""Numbers and times as a person reads them, for pages and for the sentences on them."""

from __future__ import annotations

from datetime import timedelta

from core.plural import counted


def amount(number: int) -> str:
    """1234567 -> '1,234,567'."""
    return f"{number:,}"


def duration(span: timedelta) -> str:
    """The largest fitting unit alone: '45 seconds', '12 minutes', '3 hours', '2 days'."""
    seconds = max(0, round(span.total_seconds()))
    for unit, length_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length_s or (unit != "day" and seconds >= length_s):
            return counted(round(seconds / length_s), unit)
    return counted(seconds, "second")


def is_are(number: int) -> str:
    """The verb for so many things."""
    return "is" if number == 1 else "are"


def was_were(number: int) -> str:
    return "was" if number == 1 else "were"


def others_are_screened(number: int) -> str:
    """What happens to the files that were not rejected."""
    if not number:
        return "Nothing is being screened."
    return "The other one is being screened." if number == 1 else f"The other {number:,} are being screened."
