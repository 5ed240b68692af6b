"""What runs the network. An engine takes pixels and gives the network's output; what follows is model/loaded.py."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.engines import EngineName
from core.errors import ConfigurationError
from model.card import Card
from model.engines import choice
from model.engines.choice import Choice
from model.output import NetworkOutput
from model.registry import Entry

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint


class Engine(Protocol):
    """One network on one device. Batches of `batch_size` are about as fast as any."""

    @property
    def name(self) -> str: ...

    @property
    def batch_size(self) -> int: ...

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[NDArray[np.float32]]:
        """uint8 (N, 224, 224), N >= 1 -> the network's output.

        Raises:
            OutOfMemory: the batch is too large for this device; a smaller one may pass.
            DeviceLost: only a new process can go on.
        """
        ...


def choose(engine: EngineName, card: Card) -> Choice:
    """Settle `auto`, and check that a named engine can run this model on this machine.

    Raises:
        ConfigurationError: it cannot.
    """
    return choice.choose(engine, card, cuda=engine in ("auto", "torch-cuda") and _has_cuda())


def make(engine: EngineName, checkpoint: Checkpoint) -> Engine:
    """The engine of this name, which is not `auto`, for the network of a checkpoint.

    Raises:
        ConfigurationError: there is not enough memory for it.
    """
    if engine in ("openvino", "openvino-int8"):
        from model.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(checkpoint.network, checkpoint.card.quantization if engine == "openvino-int8" else None)
    if engine == "torch-cuda":
        from model.engines.cuda import CudaEngine

        return CudaEngine(checkpoint.network)
    from model.engines.torch import TorchEngine

    return TorchEngine(checkpoint.network)


def check(entry: Entry, engine: EngineName) -> None:
    """Find out, before anything of the model is read but its card, whether `engine` can run it on this machine.

    Raises:
        ConfigurationError: it cannot.
    """
    if importlib.util.find_spec("torch") is None:
        raise ConfigurationError(
            "PyTorch is not installed here: run this in the worker image, or install 'pneumoscreen[worker]'."
        )
    # What `auto` is can wait until the model is loaded: it can always run.
    if engine != "auto":
        choose(engine, entry.card)


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
