"""Claims: which queued images a worker works on next.

As in `db.jobs`, each state change is one conditional UPDATE, the caller owns the transaction, and a condition that no
longer holds is never an error. `db.leases` has how long a claim lasts, `db.outcomes` how it ends.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from core.populations import Population
from db import dialect
from db.states import ImageState, Priority
from db.tables import Image, Job, User, state_is, state_is_unindexed

# With the number itself in the SQL, since a partial index does not match a parameter.
_SUSPECTED = Image.crashes > literal(0, literal_execute=True)
_UNSUSPECTED = Image.crashes == 0

IN_ORDER = (Priority.INTERACTIVE, Priority.BULK)
"""The order in which images of all priorities are claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An image that a worker has leased. Only the latest `attempt` of an image can finish it.

    `crashes` above 0: a lease of it ran out before, so it is tried alone, in a batch of its own. `population` is the
    one that was chosen for its job.
    """

    image_id: int
    attempt: int
    sha256: str
    crashes: int = 0
    priority: Priority = Priority.BULK
    population: Population | None = None


def claim(
    session: Session,
    *,
    worker: str,
    limit: int,
    lease_s: float,
    now: datetime,
    alone: bool = True,
    priorities: Sequence[Priority] = IN_ORDER,
) -> list[Claim]:
    """Lease up to `limit` queued images to `worker`, interactive first, the places of a batch shared between users.

    Images that another worker is claiming at this moment are passed over (`SKIP LOCKED`), not waited for.

    A suspect is an image whose lease ran out before, perhaps because it killed its worker. It is claimed before the
    others of its priority, and alone, so that a further crash costs no other image. Half a batch at a time would need
    fewer tries, but a try takes tens of milliseconds, and a crash the rest of a lease. If a suspect is next and the
    worker still works on other images (`alone` False), it gets nothing, and asks again once it has finished them.
    """
    lease = _Lease(session, worker, now + timedelta(seconds=lease_s))
    claims: list[Claim] = []
    for priority in priorities:
        if len(claims) == limit:
            break
        of_priority = Image.priority == priority
        if _any_queued(session, of_priority & _SUSPECTED):
            if claims or not alone:
                return claims
            # The one with the fewest crashes: a worker that crashes for another reason must not blame one image only.
            least = pick_queued(of_priority & _SUSPECTED, 1, order=(Image.crashes, Image.id))
            if suspect := lease.take(least):  # else another worker is claiming it at this moment
                return suspect
        claims += _claim_fairly(lease, of_priority & _UNSUSPECTED, limit - len(claims))
    return claims


@dataclass(frozen=True, slots=True)
class _Lease:
    session: Session
    worker: str
    until: datetime

    def take(self, image_ids: Select[int]) -> list[Claim]:
        """Those of `image_ids` that are still queued."""
        population = select(Job.population).where(Job.id == Image.job_id).scalar_subquery()
        rows = self.session.execute(
            update(Image)
            .where(Image.id.in_(image_ids), state_is_unindexed(ImageState.QUEUED))
            .values(
                state=ImageState.RUNNING, attempt=Image.attempt + 1, worker=self.worker, lease_expires_at=self.until
            )
            .returning(Image.id, Image.attempt, Image.sha256, Image.crashes, Image.priority, population)
            .execution_options(synchronize_session=False)
        )
        return sorted((Claim(*row) for row in rows), key=lambda c: c.image_id)


def work_waits(session: Session) -> bool:
    """Whether any image is queued. An idle worker asks once a second: one entry of a small index, no write."""
    return session.scalars(select(Image.id).where(state_is(ImageState.QUEUED)).limit(1)).first() is not None


def interactive_waits(session: Session) -> bool:
    """Whether an image is queued that somebody waits for."""
    return _any_queued(session, Image.priority == Priority.INTERACTIVE)


def next_sha256s(session: Session, *, limit: int) -> list[str]:
    """The names of the bytes of the first queued images, in the order in which they are claimed."""
    names: list[str] = []
    for priority in IN_ORDER:
        first = select(Image.sha256).where(state_is(ImageState.QUEUED), Image.priority == priority).order_by(Image.id)
        names += session.scalars(first.limit(limit - len(names)))
    return names


def suspect_waits(session: Session) -> bool:
    """Whether an image is queued that has to be claimed alone."""
    return _any_queued(session, _SUSPECTED)


def _any_queued(session: Session, condition: ColumnElement[bool]) -> bool:
    return session.scalars(select(Image.id).where(state_is(ImageState.QUEUED), condition).limit(1)).first() is not None


def _claim_fairly(lease: _Lease, condition: ColumnElement[bool], limit: int) -> list[Claim]:
    """Share the places of a batch between the users whose images wait; give places that are left to the oldest images.

    Places are left if only one user waits, if another worker was faster, and for rows without a user, which the release
    before wrote.
    """
    shares = fair_shares(_waiting(lease.session, condition, limit), limit)
    claims: list[Claim] = []
    if len(shares) > 1:
        # The names of the CTEs have no user in them, so that SQLAlchemy compiles the statement once.
        picks = [
            pick_queued((Image.user_id == user) & condition, places, name=f"share_{number}")
            for number, (user, places) in enumerate(shares.items())
        ]
        claims = lease.take(select(union_all(*picks).subquery().c.id))
    if len(claims) < limit:
        claims += lease.take(pick_queued(condition, limit - len(claims)))
    return claims


def _waiting(session: Session, condition: ColumnElement[bool], limit: int) -> list[tuple[int, int]]:
    """Each user with queued images and how many, counted to `limit` at most: a few index entries a user."""
    theirs = select(Image.id).where(state_is(ImageState.QUEUED), condition, Image.user_id == User.id)
    some = theirs.limit(limit).correlate(User).subquery()
    count = select(func.count()).select_from(some).scalar_subquery()
    return [(user, n) for user, n in session.execute(select(User.id, count).where(theirs.exists()))]


def fair_shares(waiting: Sequence[tuple[int, int]], limit: int) -> dict[int, int]:
    """How many of `limit` places each user gets: one each in turn as long as they have images, from a random start."""
    waiting_users = list(waiting)
    random.shuffle(waiting_users)  # more users than places: each claim starts with others
    shares: dict[int, int] = {}
    places = limit
    while places and waiting_users:
        waiting_users = waiting_users[:places]
        for user, _ in waiting_users:
            shares[user] = shares.get(user, 0) + 1
        places -= len(waiting_users)
        waiting_users = [(user, count) for user, count in waiting_users if count > shares[user]]
    return shares


def pick_queued(
    condition: ColumnElement[bool], limit: int, *, order: Sequence[Any] = (Image.id,), name: str = "picked"
) -> Select[int]:
    """Lock the first `limit` queued images; their ids. It is a CTE, since PostgreSQL may run a sub-select twice."""
    first = select(Image.id).where(state_is(ImageState.QUEUED), condition).order_by(*order).limit(limit)
    picked = dialect.skip_locked(first).cte(name)
    return select(picked.c.id)
