"""What pages and the API read. Lists are paged by key: a page costs the same wherever in a million rows it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from core import errors
from db.arrival import NOTHING_DECLARED, Arrival, arrival
from db.listing import filters as narrowing
from db.listing.filters import Filters
from db.states import FINAL_STATES, Decision, ImageState, JobState, Priority
from db.tables import Image, Job, Prediction, Review, state_is

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's images counted by state, its predictions by decision; derived by aggregate, never stored."""

    state: JobState
    counts: dict[ImageState, int]
    decisions: dict[Decision, int]
    finished_at: datetime | None
    arrival: Arrival = NOTHING_DECLARED

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        return sum(self.counts[state] for state in FINAL_STATES)

    @property
    def unfinished(self) -> int:
        return self.total - self.finished


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page, and the key the next one starts after; None on the last."""

    items: Sequence[Row]
    next_cursor: int | None


def progress(session: Session, job: Job) -> Progress:
    counts = dict.fromkeys(ImageState, 0)
    decisions = dict.fromkeys(Decision, 0)
    rows = session.execute(
        select(Image.state, Image.decision, func.count())
        .where(Image.job_id == job.id)
        .group_by(Image.state, Image.decision)
    )
    for image_state, decision, count in rows:
        counts[image_state] += count
        if decision is not None:
            decisions[Decision(decision)] += count
        elif image_state is ImageState.DONE:
            for word, its_count in _decisions_not_noted(session, job):
                decisions[word] += its_count
    came = arrival(session, job, sum(counts.values()))
    state = _job_state(counts, came, cancelled=job.cancelled_at is not None)
    over = state in (JobState.DONE, JobState.CANCELLED)
    return Progress(state, counts, decisions, _finished_at(session, job) if over else None, came)


def _finished_at(session: Session, job: Job) -> datetime | None:
    """Asked only once a job is over: it takes as long as all the counts."""
    return session.scalars(select(func.max(Image.finished_at)).where(Image.job_id == job.id)).one()


def _decisions_not_noted(session: Session, job: Job) -> Sequence[tuple[Decision, int]]:
    """Decisions of the images that a worker of the release before has finished: it writes them nowhere else."""
    rows = session.execute(
        select(Prediction.decision, func.count())
        .join(Image, Image.id == Prediction.image_id)
        .where(Image.job_id == job.id, state_is(ImageState.DONE), Image.decision.is_(None))
        .group_by(Prediction.decision)
    )
    return [(decision, count) for decision, count in rows]


def _job_state(counts: dict[ImageState, int], came: Arrival, *, cancelled: bool) -> JobState:
    if not any(counts.values()):
        return JobState.CANCELLED if cancelled else JobState.EMPTY
    finished = any(counts[state] for state in FINAL_STATES)
    if counts[ImageState.RUNNING] or (counts[ImageState.QUEUED] and finished):
        return JobState.RUNNING
    if counts[ImageState.QUEUED]:
        return JobState.QUEUED
    if cancelled:
        return JobState.CANCELLED
    if came.missing:
        return JobState.INCOMPLETE if came.silent else JobState.RUNNING
    return JobState.DONE


def beyond_retry(session: Session, job: Job) -> int:
    """How many of its failed images a retry cannot help."""
    query = select(func.count()).where(Image.job_id == job.id, state_is(ImageState.FAILED))
    return session.scalars(query.where(Image.error_code.in_(errors.beyond_retry()))).one()


def jobs(session: Session, *, cursor: int | None = None, limit: int = 50) -> Page[Job]:
    """Jobs, newest first. An upload that was declared is listed from its first image on."""
    begun = Job.expected_images.is_(None) | exists().where(Image.job_id == Job.id)
    query = select(Job).where(Job.deleted_at.is_(None), begun).order_by(Job.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Job.id < cursor)
    found = session.scalars(query).all()
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def image(session: Session, image_id: int) -> Image | None:
    """One image with its job, primary prediction and the reviews of that."""
    query = narrowing.narrowed(Filters(), None, newest_first=True).where(Image.id == image_id)
    return session.scalars(_with_results(query)).one_or_none()


def images(
    session: Session, filters: Filters, *, cursor: int | None = None, limit: int = 50, newest_first: bool = True
) -> Page[Image]:
    """Images with job, primary prediction and reviews; `cursor` is the id of the last one on the page before."""
    start = narrowing.start(session, filters, cursor, newest_first=newest_first)

    def read(query: Select[Image]) -> Sequence[Image]:
        return session.scalars(_with_results(query).limit(limit + 1)).all()

    if filters.filename and filters.job_id is None:
        near = narrowing.nearby(session, filters, start, newest_first=newest_first)
        found = read(near.images)
        if near.are_all or len(found) > limit:
            return _page(found, limit)
        if len(filters.filename) >= narrowing.INDEXED_PIECE:
            return _page(read(narrowing.by_name(session, filters, start, newest_first=newest_first)), limit)
    return _page(read(narrowing.narrowed(filters, start, newest_first=newest_first)), limit)


def _page(found: Sequence[Image], limit: int) -> Page[Image]:
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def _with_results(query: Select[Image]) -> Select[Image]:
    return query.options(
        joinedload(Image.job),
        joinedload(Image.primary_prediction).options(
            joinedload(Prediction.model), selectinload(Prediction.reviews).joinedload(Review.user)
        ),
    )


def queue_length(session: Session, *, at_most: int, urgent_of: int | None = None) -> int:
    """How many images are queued, or of one user as urgent; counted to `at_most`, in an index of the queued alone."""
    some = select(Image.id).where(state_is(ImageState.QUEUED))
    if urgent_of is not None:
        some = some.where(Image.user_id == urgent_of, Image.priority == Priority.INTERACTIVE)
    return session.scalars(select(func.count()).select_from(some.limit(at_most).subquery())).one()


def done_since(session: Session, since: datetime) -> int:
    return session.scalars(
        select(func.count()).select_from(Image).where(state_is(ImageState.DONE), Image.finished_at >= since)
    ).one()


PACE_OVER_S = 120.0
IDLE_S = 30.0
"""Longer than between two batches of a slow worker: then nothing was being done."""


def images_per_s(session: Session, now: datetime) -> float | None:
    """How fast images are screened, over the last stretch of work without a pause; None: nothing to tell it from."""
    rows = session.execute(
        select(Image.finished_at, func.count())
        .where(state_is(ImageState.DONE), Image.finished_at >= now - timedelta(seconds=PACE_OVER_S))
        .group_by(Image.finished_at)
        .order_by(Image.finished_at.desc())
    )
    began, total, first = now, 0, 0
    for moment, count in rows:
        if moment is None or (began - moment).total_seconds() > IDLE_S:
            break
        began, total, first = moment, total + count, count
    # What finished at its first moment was made before it.
    return (total - first) / (now - began).total_seconds() if total > first else None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits and what went wrong, over all jobs."""

    queued: int
    running: int
    oldest_queued_at: datetime | None
    failed_last_hour: int
    done_last_hour: int


def backlog(session: Session, now: datetime) -> Backlog:
    def count(state: ImageState, *, since: datetime | None = None) -> int:
        query = select(func.count()).select_from(Image).where(state_is(state))
        return session.scalars(query if since is None else query.where(Image.finished_at >= since)).one()

    hour_ago = now - timedelta(hours=1)
    oldest = session.scalars(select(func.min(Image.created_at)).where(state_is(ImageState.QUEUED))).one()
    return Backlog(
        queued=count(ImageState.QUEUED),
        running=count(ImageState.RUNNING),
        oldest_queued_at=oldest,
        failed_last_hour=count(ImageState.FAILED, since=hour_ago),
        done_last_hour=count(ImageState.DONE, since=hour_ago),
    )
