"""torch on a CUDA device: the fused network in float16, recorded as CUDA graphs of a few batch sizes.

A network of so many small kernels waits for Python to launch them one by one; a graph is launched at once. Two streams,
each with buffers and graphs of its own, let pixels and outputs cross the bus while the other computes. Pixels
cross as the bytes they are, from pinned memory, and become numbers on the device.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ConfigurationError, DeviceLost
from imaging.transform import INPUT_PX
from model.engines import passes
from model.engines.fused import FusedNetwork
from model.fuse import fuse
from model.output import NetworkOutput
from model.resnet import GrayResNet

SIZES = (1, 8, 32, 64, 128, 256, 512)
"""Batches that are tried at start. Up to the one that is found best they stay, for what is left of a batch."""
STREAMS = 2
WARM_UPS = 3
"""Passes before a graph is recorded: cuDNN looks for its fastest algorithms, cuBLAS takes its workspace."""
ROUNDS = 10

log = logging.getLogger(__name__)


class CudaEngine:
    """An `Engine`; see there. Its memory is taken at start, so that no batch can be too large for it later.

    Raises:
        ConfigurationError: the device has not enough free memory for a single image.
    """

    name = "torch-cuda"

    def __init__(self, network: GrayResNet) -> None:
        torch.backends.cudnn.benchmark = True
        fused = FusedNetwork(fuse(network), torch.device("cuda"), torch.float16)
        self._streams = [_Stream(fused, max(SIZES)) for _ in range(STREAMS)]
        rates = {size: self._streams[0].images_per_s(size) for size in self._recorded()}
        self.batch_size = passes.fastest(rates)
        self._sizes = [size for size in rates if size <= self.batch_size]
        for stream in self._streams:
            stream.keep(self._sizes)
        shown = ", ".join(f"{size}: {rate:,.0f}" for size, rate in rates.items())
        log.info("batches of %d are about as fast as any (images/s by size: %s)", self.batch_size, shown)

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[NDArray[np.float32]]:
        try:
            return passes.run(pixels, self._streams, self._sizes)
        except RuntimeError as error:
            _check_device(error)
            raise

    def _recorded(self) -> list[int]:
        """The sizes for which there is memory, recorded on every stream."""
        for number, size in enumerate(SIZES):
            try:
                for stream in self._streams:
                    stream.record(size)
            except torch.OutOfMemoryError as error:
                if number == 0:
                    raise ConfigurationError("The GPU has not enough free memory for the network.") from error
                log.warning("the GPU has not enough free memory for batches of %d", size)
                return list(SIZES[:number])
        return list(SIZES)


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    output: NetworkOutput[Tensor]


def _check_device(cause: RuntimeError) -> None:
    """After some errors every call fails until the process ends. Raises DeviceLost if this was one."""
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        raise DeviceLost("The GPU answers nothing more in this process; see the driver's log (dmesg).") from cause


class _Stream:
    """A `passes.Stream` of the device, for parts of at most `largest` images."""

    def __init__(self, network: FusedNetwork, largest: int) -> None:
        self._network = network
        self._cuda = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # of torch, as all in this file
        self._pixels = torch.zeros((largest, INPUT_PX, INPUT_PX), dtype=torch.uint8).pin_memory()
        self._gray = self._pixels.cuda()
        self._planes = network.planes(largest)
        self._host: list[Tensor] = []  # pinned, for a copy of the largest output
        self._recorded: dict[int, _Recorded] = {}
        self._count = 0
        torch.cuda.synchronize()  # the buffers were filled on another stream

    @torch.inference_mode()
    def record(self, size: int) -> None:
        """Raises torch.OutOfMemoryError."""
        with torch.cuda.stream(self._cuda):
            for _ in range(WARM_UPS):
                self._forward(size)
        self._cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._cuda):
            output = self._forward(size)
        self._recorded[size] = _Recorded(graph, output)
        self._host = [torch.empty(tensor.shape, dtype=tensor.dtype).pin_memory() for tensor in output]

    def keep(self, sizes: list[int]) -> None:
        """Give the memory of all other sizes back."""
        self._recorded = {size: self._recorded[size] for size in sizes}
        torch.cuda.empty_cache()

    def images_per_s(self, size: int) -> float:
        """How many images the graph of this size computes in a second, without copies to and from the device."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._cuda):
            start.record()
            for _ in range(ROUNDS):
                self._recorded[size].graph.replay()
            end.record()
        end.synchronize()
        return size * ROUNDS * 1e3 / float(start.elapsed_time(end))

    @torch.inference_mode()
    def start(self, part: NDArray[np.uint8], size: int) -> None:
        count = self._count = len(part)
        recorded = self._recorded[size]
        self._pixels[:count].numpy()[...] = part
        with torch.cuda.stream(self._cuda):
            # What is left of an earlier part beyond `count` goes through too, and nobody asks for it.
            self._gray[:count].copy_(self._pixels[:count], non_blocking=True)
            recorded.graph.replay()
            for host, device in zip(self._host, recorded.output, strict=True):
                host[:count].copy_(device[:count], non_blocking=True)

    def finish(self) -> NetworkOutput[NDArray[np.float32]]:
        self._cuda.synchronize()
        return NetworkOutput(*(tensor[: self._count].numpy().copy() for tensor in self._host))

    def _forward(self, size: int) -> NetworkOutput[Tensor]:
        return self._network.forward(self._gray[:size], self._planes[:size])
