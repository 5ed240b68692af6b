"""Claims: which worker works on an image, until when, and how its work ends.

Each state change is one conditional UPDATE. As in `db.jobs`, the caller owns the transaction, and a condition that no
longer holds is never an error.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    cast,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from db import dialect, previews
from db.states import Decision, ImageState, Priority
from db.tables import Image, Prediction, User, state_is, state_is_unindexed

# With the number itself in the SQL, since a partial index does not match a parameter.
_SUSPECTED = Image.crashes > literal(0, literal_execute=True)
_UNSUSPECTED = Image.crashes == 0

IN_ORDER = (Priority.INTERACTIVE, Priority.BULK)
"""The order in which images of all priorities are claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An image that a worker has leased. Only the latest `attempt` of an image can finish it.

    `crashes` above 0: a lease of it ran out before, so it is tried alone, in a batch of its own.
    """

    image_id: int
    attempt: int
    sha256: str
    crashes: int = 0
    priority: Priority = Priority.BULK


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of one image; `cam` as `imaging.cam.pack` makes it, the rest as `db.tables` has it."""

    claim: Claim
    probability: float
    decision: Decision
    ood_score: float | None = None
    reason: str | None = None
    cam: bytes | None = None
    notes: str | None = None
    box: list[int] | None = None
    preview: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """`transient`: back to the queue while attempts are left."""

    claim: Claim
    code: str
    message: str
    transient: bool


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
        rows = self.session.execute(
            update(Image)
            .where(Image.id.in_(image_ids), state_is_unindexed(ImageState.QUEUED))
            .values(
                state=ImageState.RUNNING, attempt=Image.attempt + 1, worker=self.worker, lease_expires_at=self.until
            )
            .returning(Image.id, Image.attempt, Image.sha256, Image.crashes, Image.priority)
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


def renew(session: Session, *, worker: str, image_ids: Iterable[int], lease_s: float, now: datetime) -> None:
    """Renew the leases of those of `image_ids` that `worker` still holds.

    Other images in its name are left to expire: it has lost them, for example because the database went away between
    the forward pass and `finish`, and nobody else could claim them if their leases were renewed.
    """
    session.execute(
        update(Image)
        .where(state_is(ImageState.RUNNING), Image.worker == worker, Image.id.in_(list(image_ids)))
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )


def finish(
    session: Session,
    scored: Sequence[Scored],
    *,
    model_sha256: str,
    threshold: float,
    ood_limit: float | None = None,
    worker: str,
    now: datetime,
) -> int:
    """Write predictions and set their images to `done`; return how many images the worker still held.

    The prediction of each image becomes its primary one.
    """
    if not scored:
        return 0
    ours = _lock_running(session, [s.claim for s in scored], worker)
    scored = [s for s in scored if s.claim.image_id in ours]
    if not scored:
        return 0
    rows = [
        {
            "image_id": s.claim.image_id,
            "model_sha256": model_sha256,
            "probability": s.probability,
            "threshold": threshold,
            "decision": s.decision,
            "ood_score": s.ood_score,
            "ood_limit": ood_limit,
            "reason": s.reason,
            "cam": s.cam,
            "notes": s.notes,
            "box": s.box,
            "created_at": now,
        }
        for s in scored
    ]
    session.execute(insert(Prediction), rows)
    _leave_running(
        session,
        (Image.id.in_(ours)) & (Prediction.image_id == Image.id) & (Prediction.model_sha256 == model_sha256),
        state=ImageState.DONE,
        primary_prediction_id=Prediction.id,
        decision=cast(Prediction.decision, Image.decision.type),
        finished_at=now,
    )
    previews.keep(session, {s.claim.sha256: s.preview for s in scored if s.preview}, now)
    return len(scored)


def fail(session: Session, failed: Failed, *, worker: str, max_attempts: int, now: datetime) -> None:
    """Record what went wrong with one image: `failed`, or `queued` again if it is transient with attempts left."""
    error = {"error_code": failed.code, "error_message": failed.message[:500]}
    held = _held([failed.claim], worker)
    tries = failed.claim.attempt - failed.claim.crashes  # attempts that ended in a crash have a limit of their own
    if failed.transient and tries < max_attempts:
        _leave_running(session, held, state=ImageState.QUEUED, published_at=None, **error)
    else:
        _leave_running(session, held, state=ImageState.FAILED, finished_at=now, **error)


def name_primary_predictions(session: Session, *, limit: int = 1000) -> int:
    """Set the primary prediction of images that a worker of the release before has finished; how many."""
    newest = select(func.max(Prediction.id)).where(Prediction.image_id == Image.id).scalar_subquery()
    without_primary = (
        select(Image.id)
        .where(state_is(ImageState.DONE), Image.primary_prediction_id.is_(None))
        .where(exists().where(Prediction.image_id == Image.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    named = session.scalars(
        update(Image)
        .where(Image.id.in_(without_primary))
        .values(primary_prediction_id=newest)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(named)


def _held(claims: Sequence[Claim], worker: str) -> ColumnElement[bool]:
    """The images of these claims that `worker` still holds. It has lost the leases of the others."""
    return (
        state_is(ImageState.RUNNING)
        & (Image.worker == worker)
        & tuple_(Image.id, Image.attempt).in_([(c.image_id, c.attempt) for c in claims])
    )


def _lock_running(session: Session, claims: Sequence[Claim], worker: str) -> set[int]:
    """Lock the images of these claims that `worker` still holds; their ids."""
    return set(session.scalars(select(Image.id).where(_held(claims, worker)).with_for_update()))


def _leave_running(session: Session, condition: ColumnElement[bool], **values: Any) -> None:
    cleared = {"lease_expires_at": None, "error_code": None, "error_message": None}
    session.execute(
        update(Image).where(condition).values(cleared | values).execution_options(synchronize_session=False)
    )


def release(session: Session, *, worker: str, image_ids: Iterable[int] | None = None) -> int:
    """Queue again what a worker holds and has not tried: all of it, or `image_ids`; how many images."""
    held = Image.worker == worker
    if image_ids is not None:
        held &= Image.id.in_(list(image_ids))
    return len(_requeue(session, held, attempt=Image.attempt - 1))


def requeue_expired(session: Session, *, max_attempts: int, now: datetime) -> tuple[list[int], list[int]]:
    """End expired leases; return the images that were queued again as suspects, and those that failed.

    An image fails at its `max_attempts`th crash, but never at its first. At the first crash it was in a batch, and any
    image of that may be the reason; at all later ones it was alone.
    """
    expired = Image.lease_expires_at < now
    last = max(2, max_attempts)
    times = "once" if last == 2 else f"{last - 1} times"
    exhausted = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), expired, Image.crashes + 1 >= last)
        .values(
            state=ImageState.FAILED,
            crashes=Image.crashes + 1,
            lease_expires_at=None,
            finished_at=now,
            error_code="attempts_exhausted",
            error_message=f"The worker stopped answering {last} times while it held this image, {times} with no other.",
        )
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return _requeue(session, expired, crashes=Image.crashes + 1), list(exhausted)


def clamp_leases(session: Session, *, lease_s: float, now: datetime) -> int:
    """Cut leases that end too late, because the clock was set back, to `lease_s`; how many.

    Otherwise an image whose worker died before that would wait for as long as the clock was set back.
    """
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), Image.lease_expires_at > now + timedelta(seconds=2 * lease_s))
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def _requeue(session: Session, condition: ColumnElement[bool], **values: Any) -> list[int]:
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), condition)
        .values(state=ImageState.QUEUED, lease_expires_at=None, published_at=None, **values)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return list(rows)
