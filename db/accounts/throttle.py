"""How often somebody may try to sign in. It is counted in the database, which all processes share.

Each attempt counts before its password is checked, so that a hundred at the same time do not get past the limit. A
window ends at a fixed time, which further attempts do not change.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, update
from sqlalchemy.orm import Session

from db import dialect
from db.tables import SignInFailures


@dataclass(frozen=True, slots=True)
class Limit:
    failures: int
    window: timedelta


PER_NAME_AND_ADDRESS = Limit(5, timedelta(minutes=15))
PER_ADDRESS = Limit(50, timedelta(minutes=15))
"""Against many names tried from one place. A hospital may be behind one address, and people mistype."""
PER_NAME = Limit(50, timedelta(hours=1))
"""Against many places trying one name: at most 100 in any hour (OWASP ASVS 4.0, 2.2.1). One address alone reaches 20
an hour, so it cannot shut a user out elsewhere."""


class Attempt:
    """One try of signing in as `name` from `address`, whether or not there is such a user."""

    def __init__(self, name: str, address: str) -> None:
        place = _place(address)
        self._pair = _key("pair", name, place)
        # Counted in this order, up to the first limit that is reached.
        self._limits = (
            (self._pair, PER_NAME_AND_ADDRESS),
            (_key("address", place), PER_ADDRESS),
            (_key("name", name), PER_NAME),
        )

    def begin(self, session: Session, now: datetime) -> int | None:
        """Count the attempt; None if it may go on, else after how many seconds to try again."""
        for key, limit in self._limits:
            count, window_ends_at = _count(session, key, limit, now)
            if count > limit.failures:
                return max(1, math.ceil((window_ends_at - now).total_seconds()))
        return None

    def succeeded(self, session: Session) -> None:
        """Note that the password was right: forget the failures of this name and address, and uncount this attempt."""
        session.execute(delete(SignInFailures).where(SignInFailures.key == self._pair))
        others = [key for key, _ in self._limits if key != self._pair]
        session.execute(
            update(SignInFailures).where(SignInFailures.key.in_(others)).values(count=SignInFailures.count - 1)
        )


def forget(session: Session, now: datetime) -> None:
    """Delete the counts whose window is over."""
    session.execute(delete(SignInFailures).where(SignInFailures.window_ends_at <= now))


def _count(session: Session, key: str, limit: Limit, now: datetime) -> tuple[int, datetime]:
    """Count one more in the present window, or the first in a new one. It is one statement, so that none is lost."""
    insert = dialect.insert(session, SignInFailures).values(key=key, count=1, window_ends_at=now + limit.window)
    over = SignInFailures.window_ends_at <= now
    counted = insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": case((over, 1), else_=SignInFailures.count + 1),
            "window_ends_at": case((over, insert.excluded.window_ends_at), else_=SignInFailures.window_ends_at),
        },
    ).returning(SignInFailures.count, SignInFailures.window_ends_at)
    count, window_ends_at = session.execute(counted).one()
    return count, window_ends_at


def _place(address: str) -> str:
    """The address, or the network of an IPv6 address: whoever has one has the 2**64 others of its network too."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # of a Unix socket: empty
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
