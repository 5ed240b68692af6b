"""torch on a CPU (float32) or a CUDA device (float16)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.engines.common import check, out_of_memory, results
from model.results import Results


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
        check(batch)
        try:
            with torch.inference_mode():
                gray = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
                return results(self._network.look(gray), self._domain)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise out_of_memory(batch) from error
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error):
                raise
            raise out_of_memory(batch) from error
