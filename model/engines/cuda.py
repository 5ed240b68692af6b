"""torch on a CUDA device: the folded network in float16, recorded as CUDA graphs of a few batch sizes.

A network of so many small kernels waits for Python to launch them one by one; a graph is launched at once. Two lanes,
each with a stream, buffers and graphs of its own, let pixels and results cross the bus while the other computes. Pixels
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
from model.checkpoint import Checkpoint
from model.decision import Results
from model.engines import passes
from model.engines.common import Outputs, check, outputs
from model.engines.fused import FoldedNetwork
from model.fuse import fold
from model.ood import Domain

SIZES = (1, 8, 32, 64, 128, 256, 512)
"""Batches that are tried at start. Up to the one that is found best they stay, for what is left of a batch."""
LANES = 2
WARM_UPS = 3
"""Passes before a graph is recorded: cuDNN looks for its fastest algorithms, cuBLAS takes its workspace."""
ROUNDS = 10

log = logging.getLogger(__name__)


class CudaPredictor:
    """A `Predictor`; see there. Its memory is taken at start, so that no batch can be too large for it later.

    Raises:
        ConfigurationError: the device has not enough free memory for a single image.
    """

    engine = "torch-cuda"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.model_name = checkpoint.card.name
        self.model_sha256 = checkpoint.sha256
        self.threshold = checkpoint.card.operating_point.threshold
        self.domain_limit = checkpoint.card.domain.limit if checkpoint.card.domain else None
        torch.backends.cudnn.benchmark = True
        device = torch.device("cuda")
        network = FoldedNetwork(fold(checkpoint.network), device, torch.float16)
        domain = checkpoint.domain.to(device) if checkpoint.domain else None
        self._lanes = [_Lane(network, domain, max(SIZES)) for _ in range(LANES)]
        rates = {size: self._lanes[0].images_per_s(size) for size in self._recorded()}
        self.batch_size = passes.fastest(rates)
        self._sizes = [size for size in rates if size <= self.batch_size]
        for lane in self._lanes:
            lane.keep(self._sizes)
        shown = ", ".join(f"{size}: {rate:,.0f}" for size, rate in rates.items())
        log.info("batches of %d are about as fast as any (images/s by size: %s)", self.batch_size, shown)

    def predict(self, batch: NDArray[np.uint8]) -> Results:
        check(batch)
        try:
            return passes.run(batch, self._lanes, self._sizes)
        except RuntimeError as error:
            _check_device(error)
            raise

    def _recorded(self) -> list[int]:
        """The sizes for which there is memory, recorded in every lane."""
        for number, size in enumerate(SIZES):
            try:
                for lane in self._lanes:
                    lane.record(size)
            except torch.OutOfMemoryError as error:
                if number == 0:
                    raise ConfigurationError("The GPU has not enough free memory for the network.") from error
                log.warning("the GPU has not enough free memory for batches of %d", size)
                return list(SIZES[:number])
        return list(SIZES)


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    outputs: Outputs


def _check_device(cause: RuntimeError) -> None:
    """After some errors every call fails until the process ends. Raises DeviceLost if this was one."""
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        raise DeviceLost("The GPU answers nothing more in this process; see the driver's log (dmesg).") from cause


class _Lane:
    """A `passes.Lane` of the device, for parts of at most `largest` images."""

    def __init__(self, network: FoldedNetwork, domain: Domain | None, largest: int) -> None:
        self._network = network
        self._domain = domain
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # of torch, as all in this file
        self._pixels = torch.zeros((largest, INPUT_PX, INPUT_PX), dtype=torch.uint8).pin_memory()
        self._gray = self._pixels.cuda()
        self._planes = network.planes(largest)
        self._answers: list[Tensor] = []  # pinned, a copy of the largest outputs
        self._recorded: dict[int, _Recorded] = {}
        self._count = 0
        torch.cuda.synchronize()  # the buffers were filled on another stream

    @torch.inference_mode()
    def record(self, size: int) -> None:
        """Raises torch.OutOfMemoryError."""
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                self._look(size)
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            found = self._look(size)
        self._recorded[size] = _Recorded(graph, found)
        self._answers = [torch.empty(its.shape, dtype=its.dtype).pin_memory() for its in found]

    def keep(self, sizes: list[int]) -> None:
        """Give the memory of all other sizes back."""
        self._recorded = {size: self._recorded[size] for size in sizes}
        torch.cuda.empty_cache()

    def images_per_s(self, size: int) -> float:
        """Of the graph alone."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
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
        with torch.cuda.stream(self._stream):
            # What is left of an earlier part beyond `count` goes through too, and nobody asks for it.
            self._gray[:count].copy_(self._pixels[:count], non_blocking=True)
            recorded.graph.replay()
            for host, device in zip(self._answers, recorded.outputs, strict=True):
                host[:count].copy_(device[:count], non_blocking=True)

    def finish(self) -> Results:
        self._stream.synchronize()
        return Results(*(its[: self._count].numpy().copy() for its in self._answers))

    def _look(self, size: int) -> Outputs:
        return outputs(self._network.look(self._gray[:size], self._planes[:size]), self._domain)
