"""torch on a CPU, in float32: what every other engine is compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model.engines.common import CPU_BATCH, out_of_memory
from model.output import NetworkOutput
from model.resnet import GrayResNet


class TorchEngine:
    """An `Engine`; see there."""

    name = "torch-cpu"
    batch_size = CPU_BATCH

    def __init__(self, network: GrayResNet) -> None:
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[NDArray[np.float32]]:
        try:
            with torch.inference_mode():
                output = self._network(torch.from_numpy(np.ascontiguousarray(pixels)))
        except MemoryError as error:
            raise out_of_memory(pixels) from error
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error):
                raise
            raise out_of_memory(pixels) from error
        return NetworkOutput(*(tensor.numpy() for tensor in output))
