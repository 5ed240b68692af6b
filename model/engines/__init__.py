"""What runs the network: one `Predictor`, whatever is behind it."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from model.decision import Results
from model.registry import Entry

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

log = logging.getLogger(__name__)

ENGINES = ("auto", "torch-cpu", "torch-cuda", "openvino", "openvino-int8")


class Predictor(Protocol):
    """A loaded model. At or above `threshold` an image is called pneumonia; above `domain_limit` it is not judged.

    `domain_limit` is None for a model that cannot tell how unlike its training images an image is. Batches of
    `batch_size` are about as fast as any.
    """

    engine: str
    model_name: str
    model_sha256: str
    threshold: float
    domain_limit: float | None
    batch_size: int

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        """uint8 (N, 224, 224) -> probability, domain score and class activation map of each, in one forward pass.

        Raises:
            OutOfMemory: the batch is too large for this device; a smaller one may pass.
            DeviceLost: only a new process can go on.
        """
        ...


def load(source: Entry | Checkpoint | Path, engine: str = "auto") -> Predictor:
    """Load a model: `auto` takes CUDA where there is a device, else the fastest of the CPU that the model's card
    allows (model/engines/choice.py), and logs which and why. An Entry's hash is verified again.

    Raises:
        ModelInvalid: the file is missing, damaged, or not the one its entry names.
        ConfigurationError: no such engine, it cannot run here or cannot run this model, or finds no memory for it.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    from model.engines.choice import choose

    checkpoint = _read(source)
    choice = choose(engine, checkpoint.card, cuda=_has_cuda())
    log.info("the engine is %s: %s", choice.engine, choice.reason)
    return _make(checkpoint, choice.engine)


def check(entry: Entry, engine: str) -> None:
    """Find out, before anything of the model is read but its card, whether `engine` can run it on this machine.

    Raises:
        ConfigurationError: it cannot.
    """
    from model.engines.choice import choose

    if importlib.util.find_spec("torch") is None:
        raise ConfigurationError(
            "PyTorch is not installed here: run this in the worker image, or install 'pneumoscreen[worker]'."
        )
    choose(engine, entry.card, cuda=engine == "torch-cuda" and _has_cuda())


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _make(checkpoint: Checkpoint, engine: str) -> Predictor:
    if engine.startswith("openvino"):
        from model.engines.openvino import OpenVinoPredictor

        return OpenVinoPredictor(checkpoint, checkpoint.card.quantization if engine == "openvino-int8" else None)
    if engine == "torch-cuda":
        from model.engines.cuda import CudaPredictor

        return CudaPredictor(checkpoint)
    from model.engines.torch import TorchPredictor

    return TorchPredictor(checkpoint)


def _read(source: Entry | Checkpoint | Path) -> Checkpoint:
    from model import checkpoint

    if isinstance(source, Entry):
        return checkpoint.load(source.path, source.sha256)
    if isinstance(source, Path):
        return checkpoint.load(source)
    return source
