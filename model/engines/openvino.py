"""OpenVINO on a CPU, in float32, or on 8-bit integers with the rest in bfloat16 where the CPU has it.

Images go through one by one, as many at a time as there are threads: no thread waits for another within an image,
what one image needs stays in the cache, and a batch needs no more memory than a few images. Conversion and compilation
take one or two seconds, so nothing is cached on the disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from model.card import Quantization
from model.engines import graph
from model.engines.common import CPU_BATCH, out_of_memory
from model.engines.runtime import core, has_bfloat16, ov
from model.fuse import FusedResNet, fuse, planes
from model.output import NetworkOutput
from model.resnet import GrayResNet
from model.tones import equalise
from model.weights import POOLED

NO_MEMORY = ("bad_alloc", "allocate")
"""In the text of a RuntimeError that OpenVINO raises for want of memory."""

MOST_IMAGES = 256
"""Of a batch, on however many cores: it is also what one crash leaves to another worker."""

Collect = Callable[[int, ov.InferRequest], None]


class OpenVinoEngine:
    """An `Engine`; see there. In float32 when `quantization` is None."""

    def __init__(self, network: GrayResNet, quantization: Quantization | None) -> None:
        self.name = "openvino" if quantization is None else "openvino-int8"
        fused = fuse(network)
        if quantization is None:
            self._runner = Runner(graph.floating(fused, 1), equalised=fused.equalised)
        else:
            bfloat16 = quantization.bfloat16 and has_bfloat16()
            self._runner = Runner(graph.quantised(fused, quantization, 1), equalised=fused.equalised, bfloat16=bfloat16)
        # At the end of a batch threads wait for the last image: the more there are of each, the less that counts.
        self.batch_size = min(MOST_IMAGES, CPU_BATCH * self._runner.threads)

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[NDArray[np.float32]]:
        cam = np.empty((len(pixels), 7, 7), np.float32)
        features = np.empty((len(pixels), POOLED), np.float32)

        def collect(index: int, request: ov.InferRequest) -> None:
            cam[index] = request.get_output_tensor(0).data[0, 0]
            features[index] = request.get_output_tensor(1).data[0]

        try:
            self._runner.run(pixels, collect)
        except MemoryError as error:
            raise out_of_memory(pixels) from error
        except RuntimeError as error:
            if not any(words in str(error) for words in NO_MEMORY):
                raise
            raise out_of_memory(pixels) from error
        return NetworkOutput(cam.mean((1, 2)), cam, features)


class Runner:
    """A graph for one image, compiled, with one stream of one thread for each thread that torch would use.

    torch's number follows the CPUs this process may use and OMP_NUM_THREADS.
    """

    def __init__(self, model: ov.Model, *, equalised: bool, bfloat16: bool = False) -> None:
        self._equalised = equalised
        self.threads = torch.get_num_threads()
        options = {
            # Said in both cases: where there is bfloat16, OpenVINO would take it unasked.
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "NUM_STREAMS": str(self.threads),
            "INFERENCE_NUM_THREADS": str(self.threads),
            "ENABLE_CPU_PINNING": "NO",  # decoding threads and other workers share these cores
        }
        self._compiled = core().compile_model(model, "CPU", options)
        # Twice as many, so that a thread finds its next image while results are still collected in order.
        self._requests = [self._compiled.create_infer_request() for _ in range(2 * self.threads)]

    def run(self, batch: NDArray[np.uint8], collect: Collect) -> None:
        """Call `collect` with the index of each image, in order, and the finished request that holds its outputs."""
        count = len(self._requests)
        if self._equalised:
            batch = equalise(torch.from_numpy(batch)).numpy()
        try:
            for index in range(len(batch) + count):
                request = self._requests[index % count]
                if index >= count:
                    request.wait()
                    collect(index - count, request)
                if index < len(batch):
                    request.start_async([planes(batch[index : index + 1])])
        except BaseException:
            self._settle()
            raise

    def convolution_inputs(self) -> list[str]:
        """The type on which each convolution of the compiled graph runs, as `f32`, `bf16` or `u8`."""
        nodes = (node.get_rt_info() for node in self._compiled.get_runtime_model().get_ordered_ops())
        return [
            node["runtimePrecision"].astype(str) for node in nodes if node["layerType"].astype(str) == "Convolution"
        ]

    def _settle(self) -> None:
        """Wait for what still runs after a failure, or its requests would be found busy by the next batch."""
        for request in self._requests:
            with contextlib.suppress(RuntimeError, MemoryError):
                request.wait()


def observe(fused: FusedResNet, pixels: NDArray[np.uint8], progress: Callable[[int], None]) -> dict[str, float]:
    """The largest magnitude of each activation over images uint8 (N, 224, 224), by its name in the graph."""
    model, names = graph.observing(fused)
    highest = np.zeros(len(names))

    def collect(index: int, request: ov.InferRequest) -> None:
        np.maximum(highest, [float(tensor.data) for tensor in request.output_tensors], out=highest)
        progress(index + 1)

    Runner(model, equalised=fused.equalised).run(pixels, collect)
    return dict(zip(names, highest.tolist(), strict=True))
