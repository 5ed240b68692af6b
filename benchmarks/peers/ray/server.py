"""Ray Serve with dynamic request batching: the replica decodes each request in a thread and batches the arrays."""

from __future__ import annotations

import asyncio
import signal

import numpy as np
import ray
from numpy.typing import NDArray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.screening import BATCH, PORT, WORKERS, Network, pixels


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=4 * BATCH)
class Screening:
    def __init__(self) -> None:
        self.network = Network()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.05)
    async def predict(self, images: list[NDArray[np.uint8]]) -> list[float]:
        return await asyncio.to_thread(self.network.predict, images)

    async def __call__(self, request: Request) -> dict[str, float]:
        form = await request.form()
        data = await form["file"].read()
        return {"probability": await self.predict(await asyncio.to_thread(pixels, data))}


if __name__ == "__main__":
    ray.init(include_dashboard=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Screening.bind(), name="screening", route_prefix="/predict")
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    serve.shutdown()
    ray.shutdown()
