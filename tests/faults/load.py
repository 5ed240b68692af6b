"""A client that sends images while parts break, and records which were accepted, refused or never answered."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.stack import Stack
from tests.testing import factories

PER_REQUEST = 4
INTERACTIVE_EVERY = 3
GAP_S = 0.02
LATER_GAP_S = 0.4
"""Between requests, once the job has its size and the client goes on only because the fault still lasts."""

_seeds = itertools.count(1)


@dataclass
class Ledger:
    """What the service answered, by file name; a name is unique within a run."""

    accepted: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Files that were answered with an error: none may have a row."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Files whose connection broke: each has no row, or one that is screened like any other."""


class Load(threading.Thread):
    """Sends one bulk job, and now and then a single interactive image, until told that the fault is over.

    Files that failed it sends again only afterwards, in `send_again`.
    """

    def __init__(self, stack: Stack, label: str, bad: Mapping[str, bytes]) -> None:
        super().__init__(name="load", daemon=True)
        self.ledger = Ledger()
        self.started = threading.Event()
        self.over = threading.Event()
        self._stack = stack
        self._images = stack.kind.profile.images
        self._of_job: dict[str, bytes] = {}
        self._label = label
        self._bad = {self.full_name(name): data for name, data in bad.items()}
        with stack.client() as client:
            answer = client.post("/api/v1/jobs", json={"name": label, "priority": "bulk"})
            self.job_id = int(answer.raise_for_status().json()["id"])

    def full_name(self, name: str) -> str:
        """The name under which a file of this run is sent."""
        return f"{self._label}-{name}"

    def run(self) -> None:
        sent = 0
        for number in itertools.count():
            if sent >= self._images and self.over.is_set():
                return
            if number % INTERACTIVE_EVERY == 1:
                self._send_single()
                sent += 1
            else:
                self._send(self._next_files())
                sent += PER_REQUEST
            self.started.set()
            time.sleep(GAP_S if sent < self._images else LATER_GAP_S)

    def _next_files(self) -> dict[str, bytes]:
        files = dict(self._good() for _ in range(PER_REQUEST))
        for name in list(self._bad)[:1]:
            files[name] = self._bad.pop(name)
        return files

    def _good(self) -> tuple[str, bytes]:
        seed = next(_seeds)
        return self.full_name(f"{seed}.png"), factories.png(seed, size_px=(48, 40))

    def _send(self, files: dict[str, bytes]) -> None:
        self._of_job |= files
        parts = [("files", (name, data)) for name, data in files.items()]
        body = self._post(f"/api/v1/jobs/{self.job_id}/images", parts, list(files))
        for image in body.get("images", []):
            if "id" in image:
                self.ledger.accepted[image["filename"]] = image["id"]
            else:
                self.ledger.refused[image["filename"]] = str(image["error"])

    def _send_single(self) -> None:
        name, data = self._good()
        body = self._post("/api/v1/images", [("file", (name, data))], [name])
        if body:
            self.ledger.accepted[name] = body["id"]

    def send_again(self) -> None:
        """As `submit` does after an interruption: the files of the job that got no 2xx, once more."""
        names = [name for name in (*self.ledger.refused, *self.ledger.unanswered) if name in self._of_job]
        for start in range(0, len(names), PER_REQUEST):
            self._send({name: self._of_job[name] for name in names[start : start + PER_REQUEST]})
        again = [name for name in names if name not in self.ledger.accepted]
        reasons = {self.ledger.refused.get(name) or self.ledger.unanswered[name] for name in again}
        assert not again, f"{len(again)} files were refused again although all is well: {reasons}"

    def _post(self, path: str, parts: list[tuple[str, tuple[str, bytes]]], names: list[str]) -> Any:
        try:
            with self._stack.client() as client:
                answer = client.post(path, files=parts)
        except httpx.HTTPError as error:
            self.ledger.unanswered |= dict.fromkeys(names, type(error).__name__)
            return {}
        if answer.is_success:
            return answer.json()
        self.ledger.refused |= dict.fromkeys(names, f"{answer.status_code} {answer.text[:300]}")
        return {}
