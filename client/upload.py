"""Sends the files of a job: hashes them, asks which the service has, uploads the others a few at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import BinaryIO

import httpx

from client.http import Client, ServiceError
from client.retries import FULL
from client.rows import REJECTED
from client.sources import Problem, Source
from client.unchanged import UnchangedFile, Unsendable
from core.csv_lines import Row
from core.errors import Permanent
from imaging.media import sniff

CHUNK = 64
"""Files asked about in one request."""
MAX_FILES = 16
MAX_BYTES = 8 * 1024**2
"""Of one upload request; a single larger file goes alone. A retry repeats no more than this."""
_READ_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file that looks like an image, by its header."""

    source: Source
    sha256: str
    size_bytes: int
    changed: bool = False
    """Whether it was hashed anew, because it was another file when it was sent."""


@dataclass(slots=True)
class Sent:
    """How many files were dealt with: accepted (`uploaded` of them with their bytes) and rejected."""

    accepted: int = 0
    uploaded: int = 0
    rejected: int = 0

    @property
    def done(self) -> int:
        return self.accepted + self.rejected


class Uploader:
    """One upload. The job is created with the first file that can be sent, so nothing leaves no empty job.

    Args:
        open_job: makes the job; called once at most.
        accept: is told of each file and the id of its image in the job.
        reject: is told of each file that gets no image in the job, and whether the service knows that.
        progress: is told after each change.
        tell: is given, now and then and at the end, the files that the service does not know to be rejected.

    `accept`, `reject` and `progress` are called from several threads, one at a time.
    """

    def __init__(
        self,
        client: Client,
        open_job: Callable[[], int],
        *,
        concurrency: int,
        max_pixels: int,
        accept: Callable[[Hashed, int], None],
        reject: Callable[[Row, bool], None],
        progress: Callable[[Sent], None],
        tell: Callable[[Sequence[Row]], None],
    ) -> None:
        self.sent = Sent()
        self._client = client
        self._open_job = open_job
        self._concurrency = concurrency
        self._max_pixels = max_pixels
        self._accept_file = accept
        self._reject_row = reject
        self._progress = progress
        self._tell_service = tell
        self._untold: list[Row] = []
        self._lock = threading.Lock()

    def run(self, items: Iterable[Source | Problem]) -> int | None:
        """Send everything; the job's id, or None when no file could be sent.

        Raises:
            ServiceError, Unreachable, ConfigurationError: the service refuses, or does not answer any more.
        """
        job_id: int | None = None
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="upload")
        pending: set[Future[None]] = set()
        try:
            for chunk in chunks(self._hashed(items), CHUNK):
                job_id = self._open_job() if job_id is None else job_id
                for batch in batches(self._missing(job_id, chunk)):
                    pending = _settle(pending, below=2 * self._concurrency)
                    pending.add(pool.submit(self._send, job_id, batch))
                self._tell()
            _settle(pending, below=1)
            self._tell()
        except BaseException:
            self._client.stopping.set()
            raise
        finally:
            pool.shutdown(wait=not self._client.stopping.is_set(), cancel_futures=True)
        return job_id

    def _hashed(self, items: Iterable[Source | Problem]) -> Iterator[Hashed]:
        for item in items:
            if isinstance(item, Problem):
                self._reject(Row(item.name, REJECTED, error=item.message))
            elif (hashed := self._hash(item)) is not None:
                yield hashed

    def _hash(self, source: Source) -> Hashed | None:
        """None for a file that was rejected."""
        try:
            with source.open() as file:
                sniff(file, max_pixels=self._max_pixels)
                return Hashed(source, *_sha256(file))
        except Permanent as error:
            self._reject(Row(source.name, REJECTED, error=error.message))
        except OSError as error:
            self._reject(Row(source.name, REJECTED, error=f"The file cannot be read: {error.strerror}."))
        return None

    def _missing(self, job_id: int, chunk: Sequence[Hashed]) -> list[Hashed]:
        answers = self._client.known(job_id, [(file.source.name, file.sha256) for file in chunk])
        missing = []
        for file, answer in zip(chunk, answers, strict=True):
            if answer.get("missing"):
                missing.append(file)
            else:
                self._accept(file, answer["id"])
        return missing

    def _send(self, job_id: int, batch: Sequence[Hashed]) -> None:
        with ExitStack() as stack:
            opened: list[tuple[Hashed, UnchangedFile]] = []
            for file in batch:
                try:
                    handle = stack.enter_context(file.source.open())
                except Permanent as error:  # gone since it was hashed
                    self._reject(Row(file.source.name, REJECTED, file.sha256, error=error.message))
                else:
                    opened.append((file, UnchangedFile(handle, file.size_bytes, file.sha256)))
            self._send_opened(job_id, opened)

    def _send_opened(self, job_id: int, opened: Sequence[tuple[Hashed, UnchangedFile]]) -> None:
        if not opened:
            return
        try:
            answers = self._client.send(job_id, [(file.source.name, unchanged) for file, unchanged in opened])
        except Unsendable as error:  # nothing of the request was taken
            self._send_opened(job_id, [pair for pair in opened if pair[1] is not error.file])
            (changed,) = (file for file, unchanged in opened if unchanged is error.file)
            self._send_changed(job_id, changed, error)
            return
        except ServiceError as error:
            if error.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                raise
            self._send_smaller(job_id, opened, error)
            return
        again: list[Hashed] = []
        for (file, _), answer in zip(opened, answers, strict=True):
            if answer.get("id") is not None:
                self._accept(file, answer["id"], uploaded=1)
            elif answer["error"]["code"] in FULL:
                again.append(file)
            else:
                row = Row(file.source.name, REJECTED, file.sha256, error=answer["error"]["message"])
                self._reject(row, known=True)
        if again:  # the others were taken, so this ends; if there is still no room, the client waits for it
            self._send(job_id, again)

    def _send_changed(self, job_id: int, file: Hashed, error: Unsendable) -> None:
        """Once more, as the file is now; one that changes again is still being written."""
        if file.changed:
            self._reject(Row(file.source.name, REJECTED, error=error.message))
        elif (hashed := self._hash(file.source)) is not None:
            self._send(job_id, [replace(hashed, changed=True)])

    def _send_smaller(self, job_id: int, opened: Sequence[tuple[Hashed, UnchangedFile]], error: ServiceError) -> None:
        """A proxy in between may allow less than the service does."""
        if len(opened) == 1:
            file = opened[0][0]
            self._reject(Row(file.source.name, REJECTED, file.sha256, error=error.message))
            return
        middle = len(opened) // 2
        self._send_opened(job_id, opened[:middle])
        self._send_opened(job_id, opened[middle:])

    def _accept(self, file: Hashed, image_id: int, *, uploaded: int = 0) -> None:
        with self._lock:
            self.sent.accepted += 1
            self.sent.uploaded += uploaded
            self._accept_file(file, image_id)
            self._progress(self.sent)

    def _reject(self, row: Row, *, known: bool = False) -> None:
        with self._lock:
            self.sent.rejected += 1
            if not known:
                self._untold.append(row)
            self._reject_row(row, known)
            self._progress(self.sent)

    def _tell(self) -> None:
        with self._lock:
            rows, self._untold = self._untold, []
        if rows:
            self._tell_service(rows)


def chunks(files: Iterable[Hashed], size: int) -> Iterator[list[Hashed]]:
    """Lists of `size`, the last one shorter."""
    chunk: list[Hashed] = []
    for file in files:
        chunk.append(file)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def batches(files: Iterable[Hashed]) -> Iterator[list[Hashed]]:
    """What goes into one request: at most MAX_FILES and MAX_BYTES, but at least one file."""
    batch: list[Hashed] = []
    size_bytes = 0
    for file in files:
        if batch and (len(batch) == MAX_FILES or size_bytes + file.size_bytes > MAX_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(file)
        size_bytes += file.size_bytes
    if batch:
        yield batch


def _settle(pending: set[Future[None]], *, below: int) -> set[Future[None]]:
    """Wait until fewer than `below` are pending; raises what one of them raised."""
    while len(pending) >= below and pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
    return pending


def _sha256(file: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    size_bytes = 0
    while block := file.read(_READ_BYTES):
        digest.update(block)
        size_bytes += len(block)
    return digest.hexdigest(), size_bytes
