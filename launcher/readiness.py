"""Whether the service that `up` started can be used, and what it still waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

TELL_EVERY_S = 3.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the web process said just now; `database` and `broker` are whether it reaches them.

    `paused`: all of its workers wait for the image storage, where the first model of one may lie.
    """

    web: bool
    database: bool = False
    broker: bool = False
    workers: int = 0
    paused: bool = False

    @property
    def ready(self) -> bool:
        return self.workers >= 1 and not self.paused


def ask(url: str) -> Readiness:
    """Ask the service at `url`, which may not answer yet."""
    try:
        body = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return Readiness(web=False)
    if not isinstance(body, dict):
        return Readiness(web=False)
    return Readiness(
        web=True,
        database=bool(body.get("database")),
        broker=bool(body.get("broker")),
        workers=int(body.get("workers", 0)),
        paused="workers_paused" in body.get("problems", []),
    )


class Progress:
    """Says every few seconds what each process is doing, until nobody asks any more."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._started_s = clock()
        self._told_s = self._started_s

    def tell(self, readiness: Readiness, running: Mapping[str, bool], logs: Path) -> None:
        """`running` names the processes; nothing is said when the last line is younger than TELL_EVERY_S."""
        now_s = self._clock()
        if now_s - self._told_s < TELL_EVERY_S:
            return
        self._told_s = now_s
        states = [
            f"{name} {_what_it_does(name, readiness) if runs else 'ended and is started again'}"
            for name, runs in running.items()
        ]
        self._say(f"waiting ({now_s - self._started_s:.0f} s): {', '.join(states)}; logs: {logs}")


def _what_it_does(name: str, readiness: Readiness) -> str:
    if name.startswith("worker"):
        return "waits for the image storage" if readiness.paused else "loads its model"
    if name != "web":
        return "runs"
    if not readiness.web:
        return "does not answer yet"
    away = [part for part, answers in (("database", readiness.database), ("queue", readiness.broker)) if not answers]
    return f"answers, but does not reach the {' and the '.join(away)}" if away else "answers"
