"""Every state change of a job and its images, each one conditional UPDATE.

The functions take a session and never commit: the caller owns `with database.begin() as session`. A condition that
does not hold any more means that somebody else got there first, which is never an error: the row is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, insert, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.models import Image, Job, Prediction, state_is
from db.states import FINAL_STATES, Decision, ImageState, Priority

# The number itself in the SQL, for the partial index of the suspects.
_SUSPECTED = Image.crashes > literal(0, literal_execute=True)
_UNSUSPECTED = Image.crashes == 0


@dataclass(frozen=True, slots=True)
class NewImage:
    """One file whose bytes are already in the blob store."""

    filename: str
    sha256: str
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One image a worker has leased. `attempt` fences: only the latest claim of an image can finish it.

    `crashes` above 0: a lease of it ran out before, so it was claimed alone and has to be tried alone.
    """

    image_id: int
    attempt: int
    sha256: str
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of one image; `cam` as `core.activation.pack` makes it."""

    claim: Claim
    probability: float
    decision: Decision
    domain_score: float | None = None
    reason: str | None = None
    cam: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """`transient`: back to the queue while attempts are left."""

    claim: Claim
    code: str
    message: str
    transient: bool


def create(
    session: Session, *, user_id: int, name: str, priority: Priority, client_key: str | None, now: datetime
) -> tuple[Job, bool]:
    """A new job, or the one this user made before with the same `client_key`; and whether it is new."""
    values = {"user_id": user_id, "name": name, "priority": priority, "client_key": client_key, "created_at": now}
    # An absent key is NULL, which conflicts with nothing.
    new = session.scalars(_insert(session, Job).values(values).on_conflict_do_nothing().returning(Job)).one_or_none()
    if new is not None:
        return new, True
    return session.scalars(select(Job).where(Job.user_id == user_id, Job.client_key == client_key)).one(), False


def add_images(session: Session, job: Job, new: Sequence[NewImage], now: datetime) -> list[Image]:
    """Rows for `new`, `queued`, in the same order. A file already in the job keeps its row: sending twice is safe."""
    if not new:
        return []
    common: dict[str, Any] = {
        "job_id": job.id,
        "priority": job.priority,
        "state": ImageState.QUEUED,
        "attempt": 0,
        "created_at": now,
    }
    rows = [common | {name: getattr(image, name) for name in NewImage.__slots__} for image in new]
    session.execute(_insert(session, Image).on_conflict_do_nothing(), rows)
    found = session.scalars(
        select(Image).where(Image.job_id == job.id, Image.sha256.in_({image.sha256 for image in new}))
    )
    by_key = {(image.sha256, image.filename): image for image in found}
    return [by_key[image.sha256, image.filename] for image in new]


def _insert(session: Session, table: type[Job | Image]) -> Any:
    """`INSERT` with `ON CONFLICT`, which SQLAlchemy spells once a dialect."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def known(session: Session, *, user_id: int, sha256s: Iterable[str]) -> dict[str, NewImage]:
    """By sha256, what this user sent before. Others' uploads do not count: knowing a hash gives no access."""
    rows = session.scalars(
        select(Image).join(Job).where(Job.user_id == user_id, Image.sha256.in_(set(sha256s))).order_by(Image.id)
    )
    return {
        row.sha256: NewImage(row.filename, row.sha256, row.media_type, row.size_bytes, row.width_px, row.height_px)
        for row in rows
    }


def mark_published(session: Session, image_ids: Sequence[int], now: datetime) -> None:
    session.execute(update(Image).where(Image.id.in_(image_ids), state_is(ImageState.QUEUED)).values(published_at=now))


def claim(
    session: Session,
    *,
    worker: str,
    image_ids: Sequence[int],
    limit: int,
    lease_s: float,
    now: datetime,
    alone: bool = True,
) -> list[Claim]:
    """Lease up to `limit` queued images to `worker`: those of `image_ids` first, then others, interactive first.

    Images that another worker is claiming at this moment are passed over (`SKIP LOCKED`), not waited for.

    A suspect, an image whose lease ran out before, goes before the others of its priority and by itself: what took
    its worker down takes nothing else down with it. Singly and not by halves, since a try costs tens of milliseconds
    and every further crash the rest of a lease. Where a suspect is next, a worker that still has images in hand
    (`alone` False) gets nothing; it asks again once it has finished them.
    """
    lease_until = now + timedelta(seconds=lease_s)
    claims: list[Claim] = []
    if image_ids:
        claims = _claim_where(session, Image.id.in_(image_ids[:limit]) & _UNSUSPECTED, worker, limit, lease_until)
    for priority in (Priority.INTERACTIVE, Priority.BULK):
        if len(claims) == limit:
            break
        suspected = (Image.priority == priority) & _SUSPECTED
        if _any_queued(session, suspected):
            return claims or (_claim_suspect(session, suspected, worker, lease_until) if alone else [])
        rest = (Image.priority == priority) & _UNSUSPECTED
        claims += _claim_where(session, rest, worker, limit - len(claims), lease_until)
    return claims


def _any_queued(session: Session, condition: ColumnElement[bool]) -> bool:
    return session.scalars(select(Image.id).where(state_is(ImageState.QUEUED), condition).limit(1)).first() is not None


def _claim_suspect(session: Session, condition: ColumnElement[bool], worker: str, lease_until: datetime) -> list[Claim]:
    """One; that with the fewest crashes, lest a worker that dies again and again counts against the same one."""
    return _claim_where(session, condition, worker, 1, lease_until, order=(Image.crashes, Image.id))


def _claim_where(
    session: Session,
    condition: ColumnElement[bool],
    worker: str,
    limit: int,
    lease_until: datetime,
    order: Sequence[Any] = (Image.id,),
) -> list[Claim]:
    rows = session.execute(
        update(Image)
        .where(Image.id.in_(_pick_queued(condition, limit, order)), state_is(ImageState.QUEUED))
        .values(state=ImageState.RUNNING, attempt=Image.attempt + 1, worker=worker, lease_expires_at=lease_until)
        .returning(Image.id, Image.attempt, Image.sha256, Image.crashes)
        .execution_options(synchronize_session=False)
    )
    return sorted((Claim(*row) for row in rows), key=lambda c: c.image_id)


def _pick_queued(condition: ColumnElement[bool], limit: int, order: Sequence[Any] = (Image.id,)) -> Select[int]:
    """Ids of the oldest `limit` queued images, locked. A CTE, since PostgreSQL may run a plain sub-select twice."""
    picked = (
        select(Image.id)
        .where(state_is(ImageState.QUEUED), condition)
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    return select(picked.c.id)


def renew(session: Session, *, worker: str, image_ids: Iterable[int], lease_s: float, now: datetime) -> None:
    """Push out the leases of those of `image_ids` that `worker` still holds.

    Not of everything under its name: what it claimed and then lost track of (its database went away between the
    forward pass and `finish`) has to expire, or nobody ever takes it again.
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
    domain_limit: float | None = None,
    worker: str,
    now: datetime,
) -> int:
    """Write predictions and turn their images `done`, together. Returns how many were still ours to finish."""
    if not scored:
        return 0
    ours = _leave_running(session, [s.claim for s in scored], worker, state=ImageState.DONE, finished_at=now)
    rows = [
        {
            "image_id": s.claim.image_id,
            "model_sha256": model_sha256,
            "probability": s.probability,
            "threshold": threshold,
            "decision": s.decision,
            "domain_score": s.domain_score,
            "domain_limit": domain_limit,
            "reason": s.reason,
            "cam": s.cam,
            "created_at": now,
        }
        for s in scored
        if s.claim.image_id in ours
    ]
    if rows:
        session.execute(insert(Prediction), rows)
    return len(rows)


def fail(session: Session, failed: Failed, *, worker: str, max_attempts: int, now: datetime) -> None:
    """Record what went wrong with one image: `failed`, or `queued` again if it is transient with attempts left."""
    error = {"error_code": failed.code, "error_message": failed.message[:500]}
    tries = failed.claim.attempt - failed.claim.crashes  # those that a crash cut short have a limit of their own
    if failed.transient and tries < max_attempts:
        _leave_running(session, [failed.claim], worker, state=ImageState.QUEUED, published_at=None, **error)
    else:
        _leave_running(session, [failed.claim], worker, state=ImageState.FAILED, finished_at=now, **error)


def _leave_running(session: Session, claims: Sequence[Claim], worker: str, **values: Any) -> set[int]:
    """Move the claims that are still `worker`'s out of `running`; their ids. The rest lost their lease: fenced out."""
    cleared = {"lease_expires_at": None, "error_code": None, "error_message": None}
    rows = session.scalars(
        update(Image)
        .where(
            state_is(ImageState.RUNNING),
            Image.worker == worker,
            tuple_(Image.id, Image.attempt).in_([(c.image_id, c.attempt) for c in claims]),
        )
        .values(cleared | values)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    )
    return set(rows)


def release(session: Session, *, worker: str, image_ids: Iterable[int] | None = None) -> int:
    """Hand back, untried, what a worker still holds: all when it shuts down, else those of `image_ids`."""
    held = Image.worker == worker
    if image_ids is not None:
        held &= Image.id.in_(list(image_ids))
    return _requeue(session, held, attempt=Image.attempt - 1)


def reap(session: Session, *, max_attempts: int, now: datetime) -> tuple[int, int]:
    """Take back expired leases: how many were queued again as suspects, and how many failed.

    The first crash of an image says little, for it was in a batch; every later one hit it while it was alone. So it
    fails at the `max_attempts`th crash, but never at its first: a batch fails nobody for one of its images.
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
    return _requeue(session, expired, crashes=Image.crashes + 1), len(exhausted)


def pull_back(session: Session, *, lease_s: float, now: datetime) -> int:
    """After the clock was set back: leases that end later than any made now would, cut to `lease_s`; how many.

    Else an image whose worker died before the jump would wait for as long as the jump was.
    """
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), Image.lease_expires_at > now + timedelta(seconds=2 * lease_s))
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def _requeue(session: Session, condition: ColumnElement[bool], **values: Any) -> int:
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), condition)
        .values(state=ImageState.QUEUED, lease_expires_at=None, published_at=None, **values)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def take_unpublished(
    session: Session, *, older_than: datetime, limit: int, rung_before: datetime | None, now: datetime
) -> list[tuple[int, Priority]]:
    """Queued images whose doorbell never rang, stamped as published: the caller rings right after the commit.

    With `rung_before`, also those whose doorbell rang before then, for when the broker has lost its messages.
    What lies as far in the future is as old: its clock has been set back since.
    """
    silent = Image.published_at.is_(None) & ~Image.created_at.between(older_than, now + (now - older_than))
    if rung_before is not None:
        silent |= ~Image.published_at.between(rung_before, now + (now - rung_before))
    found: list[tuple[int, Priority]] = []
    for priority in (Priority.INTERACTIVE, Priority.BULK):
        picked = _pick_queued((Image.priority == priority) & silent, limit - len(found))
        rows = session.scalars(
            update(Image)
            .where(Image.id.in_(picked), state_is(ImageState.QUEUED))
            .values(published_at=now)
            .returning(Image.id)
            .execution_options(synchronize_session=False)
        )
        found += [(image_id, priority) for image_id in sorted(rows)]
    return found


def unpublish(session: Session, image_ids: Sequence[int]) -> None:
    """The doorbell could not be rung after all: leave the images to the next sweep."""
    session.execute(update(Image).where(Image.id.in_(image_ids), state_is(ImageState.QUEUED)).values(published_at=None))


def cancel(session: Session, job: Job, now: datetime) -> int:
    """Cancel what is still queued; what a worker holds is finished, since its result is as good as any."""
    job.cancelled_at = job.cancelled_at or now
    rows = session.scalars(
        update(Image)
        .where(Image.job_id == job.id, state_is(ImageState.QUEUED))
        .values(state=ImageState.CANCELLED, finished_at=now)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def retry(session: Session, job: Job) -> list[int]:
    """Queue the failed and cancelled images of a job again, with all their attempts; their ids.

    What crashed before stays a suspect: it would take down a batch again.
    """
    job.cancelled_at = None
    suspicion = case((_SUSPECTED, 1), else_=0)
    rows = session.scalars(
        update(Image)
        .where(Image.job_id == job.id, Image.state.in_(FINAL_STATES - {ImageState.DONE}))
        .values(
            state=ImageState.QUEUED,
            attempt=suspicion,
            crashes=suspicion,
            error_code=None,
            error_message=None,
            finished_at=None,
            published_at=None,
        )
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(rows)
