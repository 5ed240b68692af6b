"""The one write path for images: pages, API and command line all end here.

    stream to a spool (hashed, capped) -> read the header -> blob -> row -> doorbell

Blob before row: a crash between them leaves an orphan blob, never a row without bytes. Row before doorbell: a crash
between those leaves a queued row, for which the sweeper rings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, cast

from flask import Request
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import Conflict, NotFound

from core.errors import Permanent, StorageUnavailable, TooLarge
from core.media import sniff
from core.queue import publish
from core.storage import Spool
from db import jobs, retention
from db.audit import Action, Kind
from db.jobs import NewImage
from db.models import MAX_FILENAME, Image, Job
from db.session import now
from db.states import ImageState, Priority
from web import audit
from web.services import Services, services

UNNAMED = "unnamed"
"""A file whose name has nothing that can be shown."""


class UploadRequest(Request):
    """Streams each file of a multipart body straight into a spool of the blob store."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        ours = services()
        return cast(IO[bytes], ours.store.spool(ours.settings.max_upload_bytes))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was not taken; nothing of it is kept."""

    filename: str
    code: str
    message: str


def create_job(user_id: int, name: str, priority: Priority, client_key: str | None = None) -> tuple[Job, bool]:
    """A new job or, for a `client_key` used before, that one; and whether it is new."""
    with services().database.begin() as session:
        return jobs.create(
            session,
            user_id=user_id,
            name=clean(name)[:200] or "Untitled",
            priority=priority,
            client_key=client_key,
            now=now(session),
        )


def receive(job_id: int, files: Iterable[FileStorage]) -> list[Image | Rejected]:
    """Store `files` as images of a job, in order. One bad file is one `Rejected`.

    Raises:
        NotFound: no such job.
        Conflict: the job was cancelled.
        StorageUnavailable: the blob store refuses; none of the files became an image.
    """
    stored = [_store(services(), file) for file in files]
    return _insert(job_id, stored)


def receive_known(job_id: int, user_id: int, wanted: Sequence[tuple[str, str]]) -> list[Image | None]:
    """For each (filename, sha256): an image of the job, if this user sent these bytes before, else None."""
    ours = services()
    with ours.database.read() as session:
        known = jobs.known(session, user_id=user_id, sha256s=(sha256 for _, sha256 in wanted))
    stored: list[NewImage | Rejected] = []
    places: list[int] = []
    for place, (filename, sha256) in enumerate(wanted):
        before = known.get(sha256)
        if before is not None and ours.store.exists(sha256):
            facts = (before.media_type, before.size_bytes, before.width_px, before.height_px)
            stored.append(NewImage(clean(filename) or UNNAMED, sha256, *facts))
            places.append(place)
    found: list[Image | None] = [None] * len(wanted)
    for place, image in zip(places, _insert(job_id, stored), strict=True):
        found[place] = cast(Image, image)
    return found


def receive_single(user_id: int, file: FileStorage) -> Image | Rejected:
    """One image as an interactive job of its own; a rejected file leaves no job behind."""
    stored = _store(services(), file)
    if isinstance(stored, Rejected):
        return stored
    job, _ = create_job(user_id, "1 image", Priority.INTERACTIVE)  # a file name may name a patient
    (image,) = _insert(job.id, [stored])
    return image


def retry(job_id: int) -> int:
    """Queue a job's failed and cancelled images again and wake the workers; how many. Raises NotFound."""
    with services().database.begin() as session:
        job = existing_job(session, job_id, to_change=True)
        image_ids = jobs.retry(session, job)
        priority = job.priority
        audit.did(session, Action.RETRIED, Kind.JOB, job_id, f"{len(image_ids)} images")
    ring(image_ids, priority)
    return len(image_ids)


def cancel(job_id: int) -> int:
    """Cancel what is still queued of a job; how many images. Raises NotFound."""
    with services().database.begin() as session:
        cancelled = jobs.cancel(session, existing_job(session, job_id, to_change=True), now(session))
        audit.did(session, Action.CANCELLED, Kind.JOB, job_id, f"{cancelled} images")
    return cancelled


def ring(image_ids: Sequence[int], priority: Priority) -> None:
    """Wake the workers for images that are committed; what the broker does not take, the sweeper rings for."""
    ours = services()
    rung = publish(ours.celery, image_ids, priority, ours.settings.batch_size)
    if rung:
        with ours.database.begin() as session:
            jobs.mark_published(session, rung, now(session))


def clean(filename: str) -> str:
    """A name fit to be shown: no control, format or unassigned characters, at most 512, the end being kept."""
    visible = "".join(c for c in filename if not unicodedata.category(c).startswith("C"))
    return visible.strip()[-MAX_FILENAME:]


def _store(ours: Services, file: FileStorage) -> NewImage | Rejected:
    filename = clean(file.filename or "") or UNNAMED
    spool = cast(Spool, file.stream)
    try:
        if spool.too_large:
            limit_mb = ours.settings.max_upload_bytes / 1e6
            raise TooLarge(f"The file has {spool.size_bytes / 1e6:.1f} MB; the limit is {limit_mb:.1f} MB.")
        info = sniff(cast(IO[bytes], spool), max_pixels=ours.settings.max_pixels)  # type: ignore[arg-type]
    except Permanent as error:
        return Rejected(filename, error.code, error.message)
    size_bytes = spool.size_bytes
    return NewImage(filename, ours.store.put(spool), info.media_type, size_bytes, info.width_px, info.height_px)


def _insert(job_id: int, stored: Sequence[NewImage | Rejected]) -> list[Image | Rejected]:
    new = [item for item in stored if isinstance(item, NewImage)]
    with services().database.begin() as session:
        job = existing_job(session, job_id)
        if job.cancelled_at is not None:
            raise Conflict(f"Job {job_id} was cancelled; retry it first, or start a new one.")
        if not retention.hold(session, (item.sha256 for item in new), services().store.exists):
            raise StorageUnavailable("The last job with one of these images was deleted at this moment.")
        images = jobs.add_images(session, job, new, now(session))
        if new:
            audit.did(session, Action.SUBMITTED, Kind.JOB, job_id, f"{len(new)} images")
    silent = {i.id for i in images if i.state is ImageState.QUEUED and i.published_at is None}
    ring(sorted(silent), job.priority)
    rest = iter(images)
    return [item if isinstance(item, Rejected) else next(rest) for item in stored]


def existing_job(session: Session, job_id: int, *, to_change: bool = False) -> Job:
    """The job, locked until the end of the transaction, so that nobody deletes it meanwhile. Uploads share the lock."""
    job = session.get(Job, job_id, with_for_update={"key_share": True} if to_change else {"read": True})
    if job is None or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id}.")
    return job
