"""BentoML with adaptive batching: a list of images in, a list of probabilities out."""

from __future__ import annotations

import bentoml
from PIL.Image import Image

from benchmarks.peers.screening import BATCH, WORKERS, Network, resized


@bentoml.service(workers=WORKERS, traffic={"timeout": 120})
class Screening:
    def __init__(self) -> None:
        self.network = Network()

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=60_000)
    def predict(self, images: list[Image]) -> list[float]:
        return self.network.predict([resized(image) for image in images])
