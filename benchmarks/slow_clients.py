"""`python -m benchmarks.slow_clients`: what 500 slow clients do to everybody else.

The real web process on loopback answers `/healthz` and takes a radiograph, again and again: first alone, then while
slow clients of every kind are connected, half of them from one address, half from many. A client that is disconnected
connects again at once.

    python -m benchmarks.slow_clients --clients 500 --rounds 200
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks import images
from benchmarks.client import Client, Request, multipart
from benchmarks.site import Site, site
from benchmarks.spread import percentile
from tests.testing import factories
from tests.testing.slow_clients import SlowClients, slow_clients

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
ROWS_TO_EXPORT = 20_000
"""Of results: more than all buffers between the service and a reader of CSV hold."""
UPLOAD_BYTES = 200_000
MANY_ADDRESSES = 50
PAUSE_S = 0.02

Seconds = dict[str, list[float]]


def measure(at: Site, salt: str, rounds: int) -> Seconds:
    """Seconds of each request, by kind."""
    client = Client(at.url, {"Authorization": f"Bearer {at.token}"})
    seconds: Seconds = {"healthz": [], "upload": []}
    for name, data in _radiographs(rounds, salt):
        seconds["healthz"].append(client.send(Request("/healthz", b"", {}), method="GET").seconds)
        seconds["upload"].append(client.send(multipart("/api/v1/images", "file", [(name, data)])).seconds)
        time.sleep(PAUSE_S)
    client.close()
    return seconds


def _radiographs(count: int, salt: str) -> Iterator[tuple[str, bytes]]:
    """JPEGs of about the usual size, each with bytes of its own."""
    usual = min(images.load(None).files, key=lambda data: abs(len(data) - UPLOAD_BYTES))
    return images.Images("one", (usual,)).stream(count, salt)


def table(alone: Seconds, beset: Seconds) -> str:
    lines = ["| request | | alone, ms | with slow clients, ms | ratio |", "|---|---|---|---|---|"]
    for kind, before in alone.items():
        for share, value in SHARES.items():
            first, then = percentile(before, value), percentile(beset[kind], value)
            lines.append(f"| {kind} | {share} | {first * 1e3:.1f} | {then * 1e3:.1f} | {then / first:.2f} |")
    return "\n".join(lines)


def closings(crowds: Sequence[SlowClients]) -> str:
    lines = []
    for kind in crowds[0].openings:
        lifetimes_s = [s for crowd in crowds for s in crowd.lifetimes_s.get(kind, [])]
        longest = f", after {max(lifetimes_s):.0f} s at most" if lifetimes_s else ""
        lines.append(f"{kind}: closed {len(lifetimes_s)} times{longest}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The status: 1 if a p95 has more than doubled."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.slow_clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=200, help="requests of each kind, alone and beset")
    parser.add_argument(
        "--settle-s", type=float, default=20.0, help="how long they are connected before the measurement"
    )
    asked = parser.parse_args(arguments)
    with site() as at, ExitStack() as crowd:
        with at.database.begin() as session:
            owner = factories.user(session, "archive")
            factories.images(session, factories.job(session, owner), ROWS_TO_EXPORT)
        at.start_web()
        measure(at, "warm-up", 10)
        alone = measure(at, "alone", asked.rounds)
        port = urlsplit(at.url).port or 0
        half = asked.clients // 2
        crowds = [
            crowd.enter_context(slow_clients(port, at.token, count, come_back=True, addresses=addresses))
            for count, addresses in ((half, 1), (asked.clients - half, MANY_ADDRESSES))
        ]
        time.sleep(asked.settle_s)
        beset = measure(at, "beset", asked.rounds)
        print(table(alone, beset))
        print(f"{sum(c.connected() for c in crowds)} of {asked.clients} slow clients connected at the end")
        print(closings(crowds))
    worst = max(percentile(beset[kind], SHARES["p95"]) / percentile(alone[kind], SHARES["p95"]) for kind in alone)
    return 0 if worst <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
