"""The peers: how each is started, asked, and what it may be tuned with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Tuning:
    """`workers` of the server, each with its share of the cores; `concurrency` of the client."""

    workers: int
    concurrency: int

    def __str__(self) -> str:
        return f"{self.workers} worker(s), {self.concurrency} requests at a time"


@dataclass(frozen=True, slots=True)
class Peer:
    """`tunings` are all tried once; the fastest is the one compared with."""

    name: str
    words: str
    field: str
    tunings: Sequence[Tuning]
    environment_of: str | None = None
    """Which of the environments it runs in; None: ours, which has what it needs."""

    def command(self, python: Path, port: int) -> list[str]:
        if self.name == "bentoml":
            service = "benchmarks.peers.bentoml.server:Screening"
            return [str(python.with_name("bentoml")), "serve", service, "--host", "127.0.0.1", "--port", str(port)]
        return [str(python), "-m", f"benchmarks.peers.{self.name}.server"]

    def probability(self, body: bytes) -> float:
        """Of an answer; raises ValueError, KeyError if it is none."""
        answer: Any = json.loads(body)
        return float(answer["probability"] if isinstance(answer, dict) else answer[0])


BATCHED = (Tuning(1, 32), Tuning(2, 32), Tuning(2, 64))
"""At least two full batches in flight, so that one is collected while the other is in the network."""

PEERS = (
    Peer(
        "published", "published design (Flask, one image a request)", "file", (Tuning(1, 1), Tuning(1, 2), Tuning(1, 4))
    ),
    Peer("litserve", "LitServe", "file", BATCHED, "litserve"),
    Peer("bentoml", "BentoML", "images", BATCHED, "bentoml"),
    Peer("ray", "Ray Serve", "file", BATCHED, "ray"),
)

BY_NAME = {peer.name: peer for peer in PEERS}

QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}
"""Turns the telemetry of the peers off."""
