"""Stand-ins that behave: a predictor without torch whose answer can be read off the image."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from core.errors import OutOfMemory
from model.decision import Results

FAKE_SHA256 = "f" * 64


class FakePredictor:
    """Calls an image's mean brightness (0..255) its probability, so that a test knows the answer beforehand.

    Its domain score is the image's darkest pixel (0..1), so that only an image without any dark is refused: a limit
    of 0.9 leaves synthetic radiographs alone. `domain_limit` None behaves like a model without statistics.
    `largest_batch` is what fits its memory; `gate`, when given, holds each forward pass until it is set.
    """

    engine = "fake"
    model_name = "fake-brightness"
    model_sha256 = FAKE_SHA256
    threshold = 0.5
    batch_size = 3

    def __init__(
        self,
        largest_batch: int = 1_000_000,
        gate: threading.Event | None = None,
        domain_limit: float | None = 0.9,
    ) -> None:
        self.domain_limit = domain_limit
        self.batch_sizes: list[int] = []
        self._largest_batch = largest_batch
        self._gate = gate

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        if len(batch) > self._largest_batch:
            raise OutOfMemory(f"A batch of {len(batch)} images does not fit into memory.")
        if self._gate is not None and not self._gate.wait(timeout=120):
            raise TimeoutError("the test never opened the gate")
        self.batch_sizes.append(len(batch))
        return results(batch.mean(axis=(1, 2)) / 255, None if self.domain_limit is None else batch.min((1, 2)) / 255)


def results(probability: NDArray[np.floating], domain_score: NDArray[np.floating] | None = None) -> Results:
    """Results of N images with flat maps; without `domain_score`, of a model that has none."""
    score = np.full(len(probability), np.nan) if domain_score is None else domain_score
    cam = np.broadcast_to(probability[:, None, None], (len(probability), 7, 7))
    return Results(probability.astype(np.float32), score.astype(np.float32), cam.astype(np.float16))
