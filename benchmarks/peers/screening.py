"""What every peer's server runs: our checkpoint in eager torch, and Pillow's open, convert and resize.

It is imported in the peer's own environment, which has torch, Pillow and what `model.checkpoint` needs.
"""

from __future__ import annotations

import io
import os

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imaging.preprocess import FILTER
from imaging.transform import INPUT_PX
from model import checkpoint
from model.registry import DEFAULT

BATCH = 16
PORT = int(os.environ.get("PEER_PORT", "0"))
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))


def pixels(data: bytes) -> NDArray[np.uint8]:
    """uint8 (224, 224)."""
    return resized(Image.open(io.BytesIO(data)))


def resized(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (224, 224)."""
    return np.asarray(image.convert("L").resize((INPUT_PX, INPUT_PX), FILTER), dtype=np.uint8)


class Network:
    """The probability of pneumonia, and nothing else that our own workers compute."""

    def __init__(self) -> None:
        network = checkpoint.load(DEFAULT).network
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def predict(self, images: list[NDArray[np.uint8]]) -> list[float]:
        with torch.inference_mode():
            logits = self._network(torch.from_numpy(np.stack(images)))
            probabilities: list[float] = logits.sigmoid().tolist()
        return probabilities
