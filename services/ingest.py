"""The one write path for images: pages, API, command line and DICOM receiver all end here.

    stream to a spool (hashed, capped) -> read the header -> blob -> row -> publish

Blob before row: a crash between them leaves an orphan blob, never a row without bytes. Row before message: a crash
between those leaves a queued row, which an idle worker finds by itself. The row says from its first moment that it is
published (`jobs.add_images` tells why).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import structlog
from sqlalchemy.orm import Session

from core.errors import Conflict, StorageFull, StorageUnavailable
from core.plural import counted
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
    """One a process, shared by its threads. An upload is admitted, fills `spools`, and is received."""

    def __init__(self, settings: Settings, database: Database, store: BlobStore, publisher: Publisher) -> None:
        self.guard = StorageGuard(database, store)
        self.admission = Admission(settings, database, store)
        self._settings = settings
        self._database = database
        self._store = store
        self._publisher = publisher
        self._files = FileStore(settings, store, self.guard)

    def admit(self, caller: Caller, job_id: int | None = None, *, size_bytes: int = 0) -> None:
        """Return if there is room for an upload to this job, or for a job of one urgent image.

        Raises:
            NotFound: no such job.
            QueueFull, StorageFull: no room.
            StorageUnavailable: the image storage is missing, foreign or silent.
        """
        self.guard.require()
        priority = Priority.INTERACTIVE if job_id is None else self._priority(job_id)
        self.admission.admit(caller.user_id, priority, size_bytes=size_bytes)

    def spools(self) -> Spools:
        """For the files of one upload; the caller closes them."""
        limit = self._settings.limits.max_upload_bytes
        return Spools(self._store, self.guard, self.admission, max_file_bytes=limit)

    def receive(self, caller: Caller, job_id: int, files: Iterable[IncomingFile]) -> list[Image | Rejected]:
        """Store `files` as images of a job, in order. One bad file is one `Rejected`.

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
        self, caller: Caller, name: str, priority: Priority, files: Iterable[IncomingFile]
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
            job, _ = create_job(session, user_id=caller.user_id, name=name, priority=priority)
            images = self._add(session, caller, job, new)
            _note_rejected(session, job, stored)
        return self._publish(job, images, stored)

    def receive_single(self, caller: Caller, file: IncomingFile) -> Image | Rejected:
        """One image as an interactive job of its own; a rejected file leaves no job behind."""
        (received,) = self.receive_new(caller, "1 image", Priority.INTERACTIVE, [file])  # its name may name a patient
        return received

    def reject(self, job_id: int, files: Iterable[Rejected]) -> None:
        """Note files that their sender found to be no images, or could not read. Raises NotFound."""
        named = [Rejected(filenames.stored(file.filename), file.code, filenames.clean(file.message)) for file in files]
        with self._database.begin() as session:
            _note_rejected(session, lock_job(session, job_id, Lock.ADD), named)

    def _priority(self, job_id: int) -> Priority:
        with self._database.read() as session:
            return get_job(session, job_id).priority

    def _insert(self, caller: Caller, job_id: int, stored: Sequence[NewImage | Rejected]) -> list[Image | Rejected]:
        with self._database.begin() as session:
            job = lock_job(session, job_id, Lock.ADD)
            if job.cancelled_at is not None:
                raise Conflict(f"Job {job_id} was cancelled; retry it first, or start a new one.")
            images = self._add(session, caller, job, [item for item in stored if isinstance(item, NewImage)])
            _note_rejected(session, job, stored)
        return self._publish(job, images, stored)

    def _add(self, session: Session, caller: Caller, job: Job, new: Sequence[NewImage]) -> list[Image]:
        """Rows for bytes that are stored. Raises StorageUnavailable: a deletion has just removed some of them."""
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
        """Wake the workers for the committed `images` of a job; the answer for each of the files that were `stored`.

        Also for those that were there before: one message too many finds nothing to do.
        """
        log.info("images_accepted", job_id=job.id, image_ids=[image.id for image in images])
        queued = sorted({image.id for image in images if image.state is ImageState.QUEUED})
        publish(self._database, self._publisher, queued, job.priority)
        rest = iter(images)
        return [item if isinstance(item, Rejected) else next(rest) for item in stored]


def _note_rejected(session: Session, job: Job, stored: Sequence[NewImage | Rejected]) -> None:
    """Keep what was rejected with the job, but for what is sent again once there is space."""
    rejections.forget(session, job.id, (item.filename for item in stored if isinstance(item, NewImage)))
    rejected = [item for item in stored if isinstance(item, Rejected) and item.code != StorageFull.code]
    new = [NewRejection(item.filename, item.code, item.message, item.sha256) for item in rejected]
    rejections.add(session, job.id, new, now(session))
