"""The one write path for images: pages, API, command line and DICOM receiver all use it.

    stream to a spool (hashed, capped) -> read the header -> blob -> row -> publish

Blob before row: a crash between the two leaves a blob without a row, never a row without bytes. Row before message: a
crash between the two leaves a queued row, which an idle worker finds by itself. The row is marked as published from the
start (`jobs.add_images` says why).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import structlog
from sqlalchemy.orm import Session

from core.errors import Conflict, StorageFull, StorageUnavailable
from core.plural import counted
from core.populations import Population
from core.settings import Settings
from db import jobs, rejections
from db.audit import Action, Kind
from db.jobs import NewImage
from db.rejections import NewRejection
from db.retention.blobs import lock_blobs
from db.session import Database, now
from db.states import ImageState, Priority
from db.tables import Image, Job
from services import filenames
from services.admission import Admission
from services.caller import Caller
from services.files import FileStore, IncomingFile, Rejected
from services.jobs import Lock, create_job, get_job, lock_job
from services.publishing import Publisher, publish
from services.spools import Spools
from services.storage import StorageGuard
from storage.base import BlobStore

log = structlog.get_logger()


class Ingest:
    """The write path of a process; shared by its threads. For each upload: `admit`, fill `spools`, `receive`."""

    def __init__(self, settings: Settings, database: Database, store: BlobStore, publisher: Publisher) -> None:
        self.guard = StorageGuard(database, store)
        self.admission = Admission(settings, database, store)
        self._settings = settings
        self._database = database
        self._store = store
        self._publisher = publisher
        self._files = FileStore(settings, store, self.guard)

    def admit(self, caller: Caller, job_id: int | None = None, *, size_bytes: int = 0) -> None:
        """Return if there is room for an upload to this job, or for a new job of one interactive image.

        Raises:
            NotFound: no such job.
            QueueFull, StorageFull: no room.
            StorageUnavailable: the image storage is missing, foreign or silent.
        """
        self.guard.require()
        priority = Priority.INTERACTIVE if job_id is None else self._priority(job_id)
        self.admission.admit(caller.user_id, priority, size_bytes=size_bytes)

    def spools(self) -> Spools:
        """Spools for the files of one upload; the caller closes them."""
        limit = self._settings.limits.max_upload_bytes
        return Spools(self._store, self.guard, self.admission, max_file_bytes=limit)

    def receive(self, caller: Caller, job_id: int, files: Iterable[IncomingFile]) -> list[Image | Rejected]:
        """Store `files` as images of a job; the images in the same order, with a `Rejected` for each bad file.

        Raises:
            NotFound: no such job.
            Conflict: the job was cancelled.
            StorageUnavailable: the blob store refuses; none of the files became an image.
            StorageFull: it had space for none of them.
        """
        return self._insert(caller, job_id, self._files.store(files))

    def receive_known(self, caller: Caller, job_id: int, wanted: Sequence[tuple[str, str]]) -> list[Image | None]:
        """For each (filename, sha256): an image of the job, if this user sent these bytes before, else None.

        Raises:
            NotFound, Conflict: as `receive`.
            QueueFull, StorageFull, StorageUnavailable: as `admit`, before the bytes of what is missing are sent.
        """
        self.admit(caller, job_id)
        with self._database.read() as session:
            known = jobs.known(session, user_id=caller.user_id, sha256s=(sha256 for _, sha256 in wanted))
        stored: list[NewImage | Rejected] = []
        places: list[int] = []
        for place, (filename, sha256) in enumerate(wanted):
            before = known.get(sha256)
            if before is not None and self._store.exists(sha256):
                stored.append(replace(before, filename=filenames.stored(filename)))
                places.append(place)
        images: list[Image | None] = [None] * len(wanted)
        for place, image in zip(places, self._insert(caller, job_id, stored), strict=True):
            images[place] = cast(Image, image)
        return images

    def receive_new(
        self,
        caller: Caller,
        name: str,
        priority: Priority,
        files: Iterable[IncomingFile],
        population: Population | None = None,
    ) -> list[Image | Rejected]:
        """Store `files` as a job of their own, in one transaction; no job if not one of them was taken.

        Raises:
            StorageUnavailable: the blob store refuses; nothing was kept.
            StorageFull: it had space for none of them.
        """
        stored = self._files.store(files)
        new = [item for item in stored if isinstance(item, NewImage)]
        if not new:
            return [item for item in stored if isinstance(item, Rejected)]
        with self._database.begin() as session:
            job, _ = create_job(session, user_id=caller.user_id, name=name, priority=priority, population=population)
            images = self._add(session, caller, job, new)
            _record_rejected(session, job, stored)
        return self._publish(job, images, stored)

    def receive_single(
        self, caller: Caller, file: IncomingFile, population: Population | None = None
    ) -> Image | Rejected:
        """One image as an interactive job of its own; a rejected file leaves no job behind."""
        name = "1 image"  # the file's own may name a patient
        (received,) = self.receive_new(caller, name, Priority.INTERACTIVE, [file], population)
        return received

    def reject(self, job_id: int, files: Iterable[Rejected]) -> None:
        """Record files that their sender could not read, or found to be no images. Raises NotFound."""
        named = [Rejected(filenames.stored(file.filename), file.code, filenames.clean(file.message)) for file in files]
        with self._database.begin() as session:
            _record_rejected(session, lock_job(session, job_id, Lock.ADD), named)

    def _priority(self, job_id: int) -> Priority:
        with self._database.read() as session:
            return get_job(session, job_id).priority

    def _insert(self, caller: Caller, job_id: int, stored: Sequence[NewImage | Rejected]) -> list[Image | Rejected]:
        with self._database.begin() as session:
            job = lock_job(session, job_id, Lock.ADD)
            if job.cancelled_at is not None:
                raise Conflict(f"Job {job_id} was cancelled; retry it first, or start a new one.")
            images = self._add(session, caller, job, [item for item in stored if isinstance(item, NewImage)])
            _record_rejected(session, job, stored)
        return self._publish(job, images, stored)

    def _add(self, session: Session, caller: Caller, job: Job, new: Sequence[NewImage]) -> list[Image]:
        """Add rows for stored bytes. Raises StorageUnavailable: a deletion has just removed some of them."""
        if not lock_blobs(session, (item.sha256 for item in new), self._store.exists):
            raise StorageUnavailable("The last job with one of these images was deleted at this moment.")
        at = now(session)
        images = jobs.add_images(session, job, new, at, published_at=at)
        if new:
            caller.record(session, Action.SUBMITTED, Kind.JOB, job.id, counted(len(new), "image"))
        return images

    def _publish(
        self, job: Job, images: Sequence[Image], stored: Sequence[NewImage | Rejected]
    ) -> list[Image | Rejected]:
        """Wake the workers for the committed `images` of a job; return what became of each file in `stored`.

        Images that were in the job before are published too: a worker that is woken in vain does no harm.
        """
        log.info("images_accepted", job_id=job.id, image_ids=[image.id for image in images])
        queued = sorted({image.id for image in images if image.state is ImageState.QUEUED})
        publish(self._database, self._publisher, queued, job.priority)
        rest = iter(images)
        return [item if isinstance(item, Rejected) else next(rest) for item in stored]


def _record_rejected(session: Session, job: Job, stored: Sequence[NewImage | Rejected]) -> None:
    """Record rejected files with their job, except those that are sent again once the disk has space."""
    rejections.forget(session, job.id, (item.filename for item in stored if isinstance(item, NewImage)))
    rejected = [item for item in stored if isinstance(item, Rejected) and item.code != StorageFull.code]
    new = [NewRejection(item.filename, item.code, item.message, item.sha256) for item in rejected]
    rejections.add(session, job.id, new, now(session))
