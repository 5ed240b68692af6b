"""The job that one run of `submit` fills: the service learns how many files there are, and which will not come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import httpx

from client.http import ServiceError, sendable

if TYPE_CHECKING:
    from client.http import Client
    from core.csv_lines import Row

OLDER = frozenset({httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.UNPROCESSABLE_ENTITY})
"""What a service answers that knows no totals, or no rejected files."""
OLDER_WORDS = (
    "The service is of an older version: its page of the job tells neither the total nor the files rejected here."
)


class DeclaredJob:
    """`open` the job, tell of each file, `close` it once all have been dealt with. One call at a time, but for `tell`.

    A run that stops before `close` leaves the job "incomplete"; the same command takes it up.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        priority: str,
        key: str,
        total: int,
        note: Callable[[str], None],
        population: str | None = None,
    ) -> None:
        self.job_id: int | None = None
        self._client = client
        self._name, self._priority, self._key = name, priority, key
        self._population = population
        self._total = total
        self._note = note
        self._takes_total = self._takes_rejected = True
        self._images: set[int] = set()
        self._accepted: set[str] = set()
        self._rejected: set[str] = set()
        self._told: set[str] = set()

    def open(self) -> int:
        """Make the job, or find it. Returns its id."""
        self.job_id = self._declare(self._total)
        return self.job_id

    def accepted(self, name: str, image_id: int) -> None:
        """Note that the file `name` became this image of the job."""
        self._images.add(image_id)
        self._accepted.add(sendable(name))

    def rejected(self, name: str) -> None:
        """Note that the service rejected the file `name`: it has recorded that with the job itself."""
        self._rejected.add(sendable(name))

    def tell(self, rows: Sequence[Row]) -> None:
        """Tell the service of files that were rejected here, so that the job does not wait for them."""
        if self.job_id is None or not self._takes_rejected:
            return
        try:
            self._client.reject(self.job_id, [(row.filename, row.error) for row in rows])
        except ServiceError as error:
            if error.status not in OLDER:
                raise
            self._note_older()
            self._takes_rejected = False
        else:
            self._told |= {sendable(row.filename) for row in rows}

    def close(self) -> None:
        """Declare how many came if it is another number: equal files are one image, and one may have vanished."""
        came = len(self._images) + len((self._rejected | self._told) - self._accepted)
        if self.job_id is not None and self._takes_total and came not in (0, self._total):
            self._declare(came)

    def _declare(self, total: int) -> int:
        try:
            job = self._client.create_job(self._name, self._priority, self._key, total, self._population)
        except ServiceError as error:
            if error.status not in OLDER:
                raise
            # Refused once more if it was not for the total.
            job = self._client.create_job(self._name, self._priority, self._key, population=self._population)
            self._note_older()
            self._takes_total = False
        return int(job["id"])

    def _note_older(self) -> None:
        """Tell the user, once, that the service is of an older version."""
        if self._takes_total and self._takes_rejected:
            self._note(OLDER_WORDS)
