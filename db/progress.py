"""How far a job is: its images counted by state and by decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import errors
from db.arrival import NOTHING_DECLARED, Arrival, arrival
from db.states import FINAL_STATES, Decision, ImageState, JobState
from db.tables import Image, Job, Prediction, state_is


@dataclass(frozen=True, slots=True)
class Progress:
    """The counts of one job. They are read from its images each time, never stored."""

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


def progress_of(session: Session, job: Job) -> Progress:
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
            for word, uncopied in _uncopied_decisions(session, job):
                decisions[word] += uncopied
    came = arrival(session, job, sum(counts.values()))
    state = _job_state(counts, came, cancelled=job.cancelled_at is not None)
    over = state in (JobState.DONE, JobState.CANCELLED)
    return Progress(state, counts, decisions, _finished_at(session, job) if over else None, came)


def count_beyond_retry(session: Session, job: Job) -> int:
    """How many of its failed images a retry cannot help."""
    query = select(func.count()).where(Image.job_id == job.id, state_is(ImageState.FAILED))
    return session.scalars(query.where(Image.error_code.in_(errors.beyond_retry()))).one()


def _finished_at(session: Session, job: Job) -> datetime | None:
    """When its last image was finished. Read only once a job is over, since it takes as long as all the counts."""
    return session.scalars(select(func.max(Image.finished_at)).where(Image.job_id == job.id)).one()


def _uncopied_decisions(session: Session, job: Job) -> Sequence[tuple[Decision, int]]:
    """Decisions that stand in predictions alone: workers of the release before do not copy them into `images`."""
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
