"""What runs the network: one `Predictor`, whatever is behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from model.registry import Entry

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

ENGINES = ("auto", "torch-cpu", "torch-cuda")


class Predictor(Protocol):
    """A loaded model. At or above `threshold` an image is called pneumonia."""

    engine: str
    model_name: str
    model_sha256: str
    threshold: float

    def predict(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, 224, 224) -> float32 (N,), the calibrated probability of pneumonia in 0..1.

        Raises:
            OutOfMemory: the batch is too large for this device; a smaller one may pass.
        """
        ...


def load(source: Entry | Checkpoint | Path, engine: str = "auto") -> Predictor:
    """Load a model: `auto` takes CUDA where there is a device, else the CPU. An Entry's hash is verified again.

    Raises:
        ModelInvalid: the file is missing, damaged, or not the one its entry names.
        ConfigurationError: no such engine, or no CUDA device for `torch-cuda`.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    from model.engines.torch import TorchPredictor, choose_device

    device = choose_device(engine)
    return TorchPredictor(_read(source), device)


def decide(probability: float, threshold: float) -> str:
    """`pneumonia` at or above the threshold, else `normal`."""
    return "pneumonia" if probability >= threshold else "normal"


def _read(source: Entry | Checkpoint | Path) -> Checkpoint:
    from model import checkpoint

    if isinstance(source, Entry):
        return checkpoint.load(source.path, source.sha256)
    if isinstance(source, Path):
        return checkpoint.load(source)
    return source
