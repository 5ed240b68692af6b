"""Stand-ins that behave: a predictor without torch whose answer can be read off the image."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from core.errors import OutOfMemory

FAKE_SHA256 = "f" * 64


class FakePredictor:
    """Calls an image's mean brightness (0..255) its probability, so that a test knows the answer beforehand.

    `largest_batch` is what fits its memory; `gate`, when given, holds each forward pass until it is set.
    """

    engine = "fake"
    model_name = "fake-brightness"
    model_sha256 = FAKE_SHA256
    threshold = 0.5

    def __init__(self, largest_batch: int = 1_000_000, gate: threading.Event | None = None) -> None:
        self.batch_sizes: list[int] = []
        self._largest_batch = largest_batch
        self._gate = gate

    def predict(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(batch) > self._largest_batch:
            raise OutOfMemory(f"A batch of {len(batch)} images does not fit into memory.")
        if self._gate is not None and not self._gate.wait(timeout=20):
            raise TimeoutError("the test never opened the gate")
        self.batch_sizes.append(len(batch))
        brightness: NDArray[np.float32] = (batch.mean(axis=(1, 2)) / 255).astype(np.float32)
        return brightness
