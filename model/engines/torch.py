"""torch on a CPU, in float32: what every other engine is compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.decision import Results
from model.engines.common import CPU_BATCH, check, out_of_memory, results


class TorchPredictor:
    """A `Predictor`; see there."""

    engine = "torch-cpu"
    batch_size = CPU_BATCH

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.model_name = checkpoint.card.name
        self.model_sha256 = checkpoint.sha256
        self.threshold = checkpoint.card.operating_point.threshold
        self.domain_limit = checkpoint.card.domain.limit if checkpoint.card.domain else None
        self._domain = checkpoint.domain
        self._network = checkpoint.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        check(batch)
        try:
            with torch.inference_mode():
                return results(self._network.look(torch.from_numpy(np.ascontiguousarray(batch))), self._domain)
        except MemoryError as error:
            raise out_of_memory(batch) from error
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error):
                raise
            raise out_of_memory(batch) from error
