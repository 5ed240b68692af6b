"""Jobs: start, list, watch, cancel, retry, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Response, url_for
from pydantic import Field

from core.populations import Population
from db import tables
from db.listing import jobs as job_list
from db.progress import Progress, progress_of
from db.states import FINAL_STATES, Decision, ImageState, JobState, Priority
from services import deletion
from services.jobs import get_job
from web.api.base import as_json, blueprint, conditional
from web.api.fields import Changed, Cursor, JobPath, Limit, Schema
from web.auth import caller
from web.dependencies import dependencies

MAX_DECLARED = 10_000_000


class NewJob(Schema):
    name: str = Field("", max_length=200)
    priority: Priority = Priority.INTERACTIVE
    key: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Your own name for this submission: sending it again gives the same job."
    )
    expected_images: Annotated[int, Field(ge=1, le=MAX_DECLARED)] | None = Field(
        None,
        description="How many files you are going to send: while fewer came, the job is not `done`. "
        "Lists show such a job from its first image on.",
    )
    population: Population | None = Field(
        None,
        description="As whose its images are judged; null: by the patient's age where it is known, else the model.",
    )


class Job(Schema):
    id: int
    name: str
    priority: Priority
    state: JobState
    total: int
    counts: dict[ImageState, int]
    decisions: dict[Decision, int]
    created_at: datetime
    finished_at: datetime | None
    expected_images: int | None = Field(description="Files that the sender declared.")
    population: Population | None = Field(description="As whose its images are judged, if that was chosen.")
    rejected: int = Field(description="Files that were not taken; `/jobs/{id}/rejected` lists them.")
    incomplete: bool = Field(description="Fewer files than declared came, and none for a minute: send them again.")

    @classmethod
    def of(cls, job: tables.Job, progress: Progress) -> Job:
        return cls(
            id=job.id,
            name=job.name,
            priority=job.priority,
            state=progress.state,
            total=progress.total,
            counts=progress.counts,
            decisions=progress.decisions,
            created_at=job.created_at,
            finished_at=progress.finished_at,
            expected_images=job.expected_images,
            population=job.population,
            rejected=progress.arrival.rejected,
            incomplete=progress.arrival.silent,
        )


class JobList(Schema):
    items: list[Job]
    next_cursor: int | None


class JobsQuery(Schema):
    cursor: Cursor = None
    limit: Limit = 50


@blueprint.post("/jobs", responses={201: Job, 200: Job})
def create_job(body: NewJob) -> Response:
    """Start a job. With a `key` used before, answers 200 with the job of that time, so that a submit can resume."""
    jobs = dependencies().jobs
    job, progress, new = jobs.create(
        caller(), body.name, body.priority, body.key, body.expected_images, body.population
    )
    return as_json(Job.of(job, progress), 201 if new else 200, Location=url_for("api.read_job", job_id=job.id))


@blueprint.get("/jobs", responses={200: JobList})
def list_jobs(query: JobsQuery) -> Response:
    """Jobs, newest first."""
    with dependencies().database.read() as session:
        page = job_list.page(session, cursor=query.cursor, limit=query.limit)
        items = [Job.of(job, progress_of(session, job)) for job in page.items]
    return as_json(JobList(items=items, next_cursor=page.next_cursor))


@blueprint.get("/jobs/<int:job_id>", responses={200: Job, 304: None})
def read_job(path: JobPath) -> Response:
    """A job's progress. Poll with If-None-Match, no faster than Retry-After says; without one it is finished."""
    with dependencies().database.read() as session:
        job = get_job(session, path.job_id)
        answer = Job.of(job, progress_of(session, job))
    response = as_json(answer)
    if sum(answer.counts[state] for state in FINAL_STATES) < answer.total or answer.state is JobState.RUNNING:
        response.headers["Retry-After"] = "1" if answer.total < 10_000 else "3"
    elif answer.state is JobState.INCOMPLETE:
        response.headers["Retry-After"] = "10"  # somebody may send the rest
    return conditional(response)


@blueprint.post("/jobs/<int:job_id>/cancel", responses={200: Changed})
def cancel_job(path: JobPath) -> Response:
    """Cancel what is still queued. Images that a worker holds are finished."""
    cancelled = dependencies().jobs.cancel(caller(), path.job_id)
    return as_json(Changed(changed=cancelled), exclude_none=True)


@blueprint.post("/jobs/<int:job_id>/retry", responses={200: Changed})
def retry_job(path: JobPath) -> Response:
    """Queue the cancelled images of a job again, and the failed ones that a retry can help."""
    changed, left = dependencies().jobs.retry(caller(), path.job_id)
    return as_json(Changed(changed=changed, left=left or None), exclude_none=True)


@blueprint.delete("/jobs/<int:job_id>", responses={204: None})
def delete_job(path: JobPath) -> Response:
    """Delete a job with its images, results and reviews, and the bytes that no other job uses. There is no way back."""
    deps = dependencies()
    deletion.delete_job(deps.database, deps.store, caller(), path.job_id)
    return Response(status=204)
