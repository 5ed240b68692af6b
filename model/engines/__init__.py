"""What runs the network: one `Predictor`, whatever is behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from model.registry import Entry
from model.results import Results

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

ENGINES = ("auto", "torch-cpu", "torch-cuda")


class Predictor(Protocol):
    """A loaded model. At or above `threshold` an image is called pneumonia; above `domain_limit` it is not judged.

    `domain_limit` is None for a model that cannot tell how unlike its training images an image is.
    """

    engine: str
    model_name: str
    model_sha256: str
    threshold: float
    domain_limit: float | None

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        """uint8 (N, 224, 224) -> probability, domain score and class activation map of each, in one forward pass.

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


def _read(source: Entry | Checkpoint | Path) -> Checkpoint:
    from model import checkpoint

    if isinstance(source, Entry):
        return checkpoint.load(source.path, source.sha256)
    if isinstance(source, Path):
        return checkpoint.load(source)
    return source
