"""The baseline of the forward pass: the shipped weights in eager torch, channels_last, with nothing else done to it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model import checkpoint
from model.decision import Results, decide, joined
from model.registry import DEFAULT

BATCH = 16


class Network:
    """All that a `Predictor` gives: probability, domain score and activation map."""

    def __init__(self) -> None:
        loaded = checkpoint.load(DEFAULT)
        self.threshold = loaded.card.operating_point.threshold
        self.limit = loaded.card.domain.limit if loaded.card.domain else None
        self._network = loaded.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        self._domain = loaded.domain

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        """uint8 (N, 224, 224) -> results, float32."""
        with torch.inference_mode():
            seen = self._network.look(torch.from_numpy(batch))
            score = torch.full_like(seen.logits, torch.nan) if self._domain is None else self._domain.score(seen.pooled)
        return Results(seen.logits.sigmoid().numpy(), score.numpy(), seen.cam.half().numpy())

    def predict_all(self, images: NDArray[np.uint8]) -> Results:
        """As `predict`, in batches of 16."""
        found = [self.predict(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return joined(found)

    def decide(self, results: Results) -> list[str]:
        return [decide(result, self.threshold, self.limit).decision for result in results]


def differing(left: list[str], right: list[str]) -> int:
    """How many of two lists of decisions are not the same."""
    return sum(a != b for a, b in zip(left, right, strict=True))
