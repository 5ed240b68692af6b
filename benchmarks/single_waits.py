"""How long one image waits for its result, from the answer to its upload until it is done, with two idle workers.

python -m benchmarks.singles --images 100                                     on SQLite and PostgreSQL
python -m benchmarks.singles --database postgresql --slow-stamp-ms 500        with slow writes of `published_at`

Web, sweeper, Valkey and both workers are real processes; the network is a fake that takes NETWORK_S unless
`--real-model` is given. Uploads come one after the other, each when the one before is done.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import httpx
from sqlalchemy import select

from benchmarks.spread import percentile
from db.states import FINAL_STATES, ImageState
from db.tables import Image
from tests.faults.matrix import DATABASES
from tests.faults.profile import LONG
from tests.faults.stack import Kind, Stack, running
from tests.testing import factories, slow_stamp

NETWORK_S = 0.02
WARM_UP = 5
POLL_S = 0.005
PAUSE_S = (0.05, 0.25)
"""Between a result and the next upload, at random, so that uploads do not keep step with the idle workers."""
PATIENCE_S = 120.0


def measure(kind: Kind, images: int, slow_stamp_ms: int) -> list[float]:
    """Seconds that each of `images` waited, on a service of its own."""
    with running(kind) as stack, stack.client() as client:
        if slow_stamp_ms and kind.database == "postgresql":
            slow_stamp.begin(stack.database, slow_stamp_ms / 1000)
        return list(_waits(stack, client, WARM_UP + images))[WARM_UP:]


def _waits(stack: Stack, client: httpx.Client, images: int) -> Iterator[float]:
    pause = random.Random(0)
    for number in range(images):
        time.sleep(pause.uniform(*PAUSE_S))
        file = (f"{number}.png", factories.png(number, size_px=(480, 400)))
        image_id = client.post("/api/v1/images", files=[("file", file)]).raise_for_status().json()["id"]
        yield _until_done(stack, image_id)


def _until_done(stack: Stack, image_id: int) -> float:
    """By asking the database, which costs less than asking the web process."""
    started_s = time.perf_counter()
    while True:
        with stack.database.read() as session:
            state = session.scalars(select(Image.state).where(Image.id == image_id)).one()
        waited_s = time.perf_counter() - started_s
        if state is ImageState.DONE:
            return waited_s
        if state in FINAL_STATES or waited_s > PATIENCE_S:
            raise RuntimeError(f"image {image_id} is {state} after {waited_s:.1f} s")
        time.sleep(POLL_S)


def line(database: str, waits: Sequence[float]) -> str:
    p50_s, p99_s = (percentile(waits, share) for share in (0.5, 0.99))
    return f"{database:10}  {len(waits):5} uploads  p50 {p50_s:.3f} s  p99 {p99_s:.3f} s  worst {max(waits):.3f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.singles", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100, help="uploads on each database (default: 100)")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--slow-stamp-ms", type=int, default=0, help="delay of each write of published_at (PostgreSQL)")
    parser.add_argument("--real-model", action="store_true", help="the shipped network instead of a fake one")
    asked = parser.parse_args(arguments)
    profile = replace(LONG, forward_s=NETWORK_S)
    for database in DATABASES if asked.database == "both" else [asked.database]:
        kind = Kind(database, profile, real_model=asked.real_model, small_disk=False)
        print(line(database, measure(kind, asked.images, asked.slow_stamp_ms)), flush=True)
