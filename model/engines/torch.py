"""torch on a CPU (float32) or a CUDA device (float16)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ConfigurationError, OutOfMemory
from model.checkpoint import Checkpoint
from model.preprocess import SIZE
from model.resnet import Seen
from model.results import Results

HALF_MAX = torch.finfo(torch.float16).max


def choose_device(engine: str) -> torch.device:
    """The device of an engine's name.

    Raises:
        ConfigurationError: `torch-cuda` on a machine without a CUDA device.
    """
    cuda = torch.cuda.is_available()
    if engine == "torch-cuda" and not cuda:
        raise ConfigurationError("The engine is torch-cuda, but torch finds no CUDA device; use auto or torch-cpu.")
    return torch.device("cuda" if cuda and engine != "torch-cpu" else "cpu")


class TorchPredictor:
    """A `Predictor`; see there."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.engine = f"torch-{device.type}"
        self.model_name = checkpoint.card.name
        self.model_sha256 = checkpoint.sha256
        self.threshold = checkpoint.card.operating_point.threshold
        self.domain_limit = checkpoint.card.domain.limit if checkpoint.card.domain else None
        self._domain = checkpoint.domain.to(device) if checkpoint.domain else None
        self._device = device
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._network = checkpoint.network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack memory_format beside positional arguments

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        if batch.dtype != np.uint8 or batch.shape[1:] != (SIZE, SIZE):
            raise ValueError(f"expected uint8 (N, {SIZE}, {SIZE}), got {batch.dtype} {batch.shape}")
        try:
            with torch.inference_mode():
                gray = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
                return self._results(self._network.look(gray))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(f"A batch of {len(batch)} images does not fit into memory.") from error
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error):
                raise
            raise OutOfMemory(f"A batch of {len(batch)} images does not fit into memory.") from error

    def _results(self, seen: Seen) -> Results:
        score = torch.full_like(seen.logits, torch.nan) if self._domain is None else self._domain.score(seen.pooled)
        return Results(
            probability=seen.logits.float().sigmoid().cpu().numpy(),
            domain_score=score.float().cpu().numpy(),
            cam=seen.cam.float().clamp(-HALF_MAX, HALF_MAX).half().cpu().numpy(),
        )
