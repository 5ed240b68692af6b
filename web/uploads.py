"""The one write path for images: pages, API and command line all end here.

    stream to a spool (hashed, capped) -> read the header -> blob -> row -> doorbell

Blob before row: a crash between them leaves an orphan blob, never a row without bytes. Row before doorbell: a crash
between those leaves a queued row, which an idle worker finds by itself. The row says from its first moment that it is
published (`jobs.add_images` tells why).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, cast

import structlog
from flask import Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import Conflict, NotFound

from core.errors import Permanent, StorageFull, StorageUnavailable, TooLarge, beyond_retry
from core.queue import publish
from db import jobs, queries, rejections
from db.audit import Action, Kind
from db.jobs import NewImage
from db.queries import Progress
from db.retention.blobs import lock_blobs
from db.session import now
from db.states import ImageState, Priority
from db.tables import Image, Job
from imaging.media import sniff
from storage.spool import Spool
from web import audit, filenames
from web.admission import admission
from web.auth import user
from web.quantities import counted
from web.schemas import MAX_ID
from web.services import Services, services
from web.storage import storage

log = structlog.get_logger()

RING_AT_ONCE = 1000
"""Images rung for while somebody waits for the answer. A worker that wakes takes all; the sweeper rings for others."""
NO_SPACE = "The disk of the image storage has no space for this file."


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was not taken; nothing of it is kept."""

    filename: str
    code: str
    message: str
    sha256: str = ""


def create_job(
    user_id: int, name: str, priority: Priority, client_key: str | None = None, expected_images: int | None = None
) -> tuple[Job, Progress, bool]:
    """A new job or, for a `client_key` used before, that one; how far it is, and whether it is new."""
    with services().database.begin() as session:
        job, new = _create(session, user_id, name, priority, client_key, expected_images)
        return job, queries.progress(session, job), new


def receive(job_id: int, files: Iterable[FileStorage]) -> list[Image | Rejected]:
    """Store `files` as images of a job, in order. One bad file is one `Rejected`.

    Raises:
        NotFound: no such job.
        Conflict: the job was cancelled.
        StorageUnavailable: the blob store refuses; none of the files became an image.
        StorageFull: it had space for none of them.
    """
    return _insert(job_id, _store_all(files))


def receive_known(job_id: int, user_id: int, wanted: Sequence[tuple[str, str]]) -> list[Image | None]:
    """For each (filename, sha256): an image of the job, if this user sent these bytes before, else None.

    Raises:
        NotFound, Conflict: as `receive`.
        QueueFull, StorageFull: no room; asked here, before the bytes of what is missing are sent.
        StorageUnavailable: the image storage is not there, or another one.
    """
    ours = services()
    storage().require()
    admission().admit(user_id, _priority(job_id))
    with ours.database.read() as session:
        known = jobs.known(session, user_id=user_id, sha256s=(sha256 for _, sha256 in wanted))
    stored: list[NewImage | Rejected] = []
    places: list[int] = []
    for place, (filename, sha256) in enumerate(wanted):
        before = known.get(sha256)
        if before is not None and ours.store.exists(sha256):
            facts = (before.media_type, before.size_bytes, before.width_px, before.height_px)
            stored.append(NewImage(filenames.stored(filename), sha256, *facts))
            places.append(place)
    found: list[Image | None] = [None] * len(wanted)
    for place, image in zip(places, _insert(job_id, stored), strict=True):
        found[place] = cast(Image, image)
    return found


def receive_new(user_id: int, name: str, priority: Priority, files: Iterable[FileStorage]) -> list[Image | Rejected]:
    """Store `files` as a job of their own, in one transaction; no job if not one of them was taken.

    Raises:
        StorageUnavailable: the blob store refuses; nothing was kept.
        StorageFull: it had space for none of them.
    """
    stored = _store_all(files)
    new = [item for item in stored if isinstance(item, NewImage)]
    if not new:
        return [item for item in stored if isinstance(item, Rejected)]
    with services().database.begin() as session:
        job, _ = _create(session, user_id, name, priority)
        images = _add(session, job, new)
        _note_rejected(session, job, stored)
    return _ring_for(job, images, stored)


def receive_single(user_id: int, file: FileStorage) -> Image | Rejected:
    """One image as an interactive job of its own; a rejected file leaves no job behind."""
    (received,) = receive_new(user_id, "1 image", Priority.INTERACTIVE, [file])  # a file name may name a patient
    return received


def retry(job_id: int) -> tuple[int, int]:
    """Queue a job's cancelled images again, and the failed ones that it can help, and wake the workers.

    Returns how many that are, and how many failed ones were left because a retry can't help them. Raises NotFound.
    """
    with services().database.begin() as session:
        job = existing_job(session, job_id, to_change=True)
        image_ids = jobs.retry(session, job, published_at=now(session))
        priority = job.priority
        left = queries.beyond_retry(session, job)
        audit.did(session, Action.RETRIED, Kind.JOB, job_id, counted(len(image_ids), "image"))
    ring(image_ids[:RING_AT_ONCE], priority)
    return len(image_ids), left


def retry_image(image_id: int) -> tuple[bool, bool]:
    """Queue one failed or cancelled image again and wake a worker.

    Returns whether it was one, and whether it was left because a retry can't help it. Raises NotFound.
    """
    with services().database.begin() as session:
        image = session.get(Image, image_id)
        if image is None:
            raise NotFound(f"There is no image {image_id}.")
        existing_job(session, image.job_id, to_change=True)
        hopeless = image.state is ImageState.FAILED and image.error_code in beyond_retry()
        queued = jobs.retry_image(session, image, published_at=now(session))
        if queued:
            audit.did(session, Action.RETRIED, Kind.IMAGE, image_id)
    if queued:
        ring([image_id], image.priority)
    return queued, hopeless


def cancel(job_id: int) -> int:
    """Cancel what is still queued of a job; how many images. Raises NotFound."""
    with services().database.begin() as session:
        cancelled = jobs.cancel(session, existing_job(session, job_id, to_change=True), now(session))
        audit.did(session, Action.CANCELLED, Kind.JOB, job_id, counted(cancelled, "image"))
    return cancelled


def ring(image_ids: Sequence[int], priority: Priority) -> None:
    """Wake the workers for images that are committed and stamped as published.

    Those that the broker does not take lose their stamp, and the sweeper rings for them.
    """
    ours = services()
    taken = set(publish(ours.celery, image_ids, priority, ours.settings.images_per_message))
    refused = [image_id for image_id in image_ids if image_id not in taken]
    if not refused:
        return
    try:
        with ours.database.begin() as session:
            jobs.unpublish(session, refused)
    except SQLAlchemyError as error:
        # The images are committed: to answer that nothing was kept would be wrong. An idle worker finds them.
        log.warning("doorbell_not_noted", error=type(error).__name__, images=len(refused))


def admit(request: Request) -> None:
    """Pass if there is room for this upload. Raises QueueFull, StorageUnavailable, NotFound."""
    storage().require()
    size_bytes = request.content_length or 0
    job_id = (request.view_args or {}).get("job_id")
    priority = Priority.INTERACTIVE if job_id is None else _priority(job_id)
    admission().admit(user().id, priority, size_bytes=size_bytes)


def _priority(job_id: int) -> Priority:
    job = None
    if job_id <= MAX_ID:  # an upload is admitted before the values of its address are checked
        with services().database.read() as session:
            job = session.get(Job, job_id)
    if job is None or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id}.")
    return job.priority


def _store_all(files: Iterable[FileStorage]) -> list[NewImage | Rejected]:
    """Each file stored or rejected.

    Raises:
        StorageFull: there was no space for any.
        StorageUnavailable: it refuses, or it vanished while the files came.
    """
    stored = [_store(services(), file) for file in files]
    if any(isinstance(item, NewImage) for item in stored):
        storage().require_now()
    if stored and all(isinstance(item, Rejected) and item.code == StorageFull.code for item in stored):
        raise StorageFull(NO_SPACE)
    return stored


def _store(ours: Services, file: FileStorage) -> NewImage | Rejected:
    filename = filenames.stored(file.filename or "")
    spool = cast(Spool, file.stream)
    try:
        if spool.too_large:
            limit_mb = ours.settings.limits.max_upload_bytes / 1e6
            raise TooLarge(f"The file has {spool.size_bytes / 1e6:.1f} MB; the limit is {limit_mb:.1f} MB.")
        if spool.full:
            raise StorageFull(NO_SPACE)
        info = sniff(cast(IO[bytes], spool), max_pixels=ours.settings.limits.max_pixels)  # type: ignore[arg-type]
        size_bytes = spool.size_bytes
        return NewImage(filename, ours.store.put(spool), info.media_type, size_bytes, info.width_px, info.height_px)
    except (Permanent, StorageFull) as error:
        whole = not (spool.too_large or spool.full)
        return Rejected(filename, error.code, error.message, spool.sha256 if whole else "")


def _insert(job_id: int, stored: Sequence[NewImage | Rejected]) -> list[Image | Rejected]:
    new = [item for item in stored if isinstance(item, NewImage)]
    with services().database.begin() as session:
        job = existing_job(session, job_id)
        if job.cancelled_at is not None:
            raise Conflict(f"Job {job_id} was cancelled; retry it first, or start a new one.")
        images = _add(session, job, new)
        _note_rejected(session, job, stored)
    return _ring_for(job, images, stored)


def reject(job_id: int, files: Iterable[Rejected]) -> None:
    """Note files that their sender found to be no images, or could not read. Raises NotFound."""
    named = [Rejected(filenames.stored(file.filename), file.code, filenames.clean(file.message)) for file in files]
    with services().database.begin() as session:
        _note_rejected(session, existing_job(session, job_id), named)


def _note_rejected(session: Session, job: Job, stored: Sequence[NewImage | Rejected]) -> None:
    """Keep what was rejected with the job, but for what is sent again once there is space."""
    rejections.forget(session, job.id, (item.filename for item in stored if isinstance(item, NewImage)))
    rejected = [item for item in stored if isinstance(item, Rejected) and item.code != StorageFull.code]
    new = [rejections.NewRejection(item.filename, item.code, item.message, item.sha256) for item in rejected]
    rejections.add(session, job.id, new, now(session))


def _create(
    session: Session,
    user_id: int,
    name: str,
    priority: Priority,
    client_key: str | None = None,
    expected_images: int | None = None,
) -> tuple[Job, bool]:
    return jobs.create(
        session,
        user_id=user_id,
        name=filenames.clean(name)[:200] or "Untitled",
        priority=priority,
        client_key=client_key,
        expected_images=expected_images,
        now=now(session),
    )


def _add(session: Session, job: Job, new: Sequence[NewImage]) -> list[Image]:
    """Rows for bytes that are stored. Raises StorageUnavailable: a deletion has just removed some of them."""
    if not lock_blobs(session, (item.sha256 for item in new), services().store.exists):
        raise StorageUnavailable("The last job with one of these images was deleted at this moment.")
    at = now(session)
    images = jobs.add_images(session, job, new, at, published_at=at)
    if new:
        audit.did(session, Action.SUBMITTED, Kind.JOB, job.id, counted(len(new), "image"))
    return images


def _ring_for(job: Job, images: Sequence[Image], stored: Sequence[NewImage | Rejected]) -> list[Image | Rejected]:
    """Wake the workers for the committed `images` of a job; the answer for each of the files that were `stored`.

    Also for those that were there before: one message too many finds nothing to do.
    """
    log.info("images_accepted", job_id=job.id, image_ids=[image.id for image in images])
    ring(sorted({image.id for image in images if image.state is ImageState.QUEUED}), job.priority)
    rest = iter(images)
    return [item if isinstance(item, Rejected) else next(rest) for item in stored]


def existing_job(session: Session, job_id: int, *, to_change: bool = False) -> Job:
    """The job, locked until the end of the transaction, so that nobody deletes it meanwhile. Uploads share the lock."""
    job = session.get(Job, job_id, with_for_update={"key_share": True} if to_change else {"read": True})
    if job is None or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id}.")
    return job
