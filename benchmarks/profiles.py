"""`python -m benchmarks.profiles`: where an image's time goes, before and after the three largest wins.

Before is what was there first, or what anyone would write; both are measured in one run, one thread, part by part:

* forward: eager torch (channels_last) and the CPU engine, by kind of operation, from their own profilers;
* decode: Pillow's open, convert and resize, and ours, step by step;
* upload: taking a request apart, with the form decoded in pieces of 64 kB, as werkzeug does, and of 256 kB.
"""

from __future__ import annotations

import argparse
import io
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, cast

import httptools
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.profiler import ProfilerActivity, profile

from benchmarks import images, report
from benchmarks.client import BOUNDARY, multipart
from benchmarks.decode import ours
from imaging.preprocess import DECODED_PX, FILTER
from imaging.transform import INPUT_PX
from model import checkpoint
from model.engines import graph
from model.engines.runtime import core, has_bfloat16
from model.fuse import fuse, planes
from model.registry import DEFAULT
from storage.spool import Spool
from tests.testing.documents import write_into
from tests.testing.paths import REPOSITORY
from web.intake.multipart import PIECE_BYTES, FormReader

DOCUMENT = REPOSITORY / "docs" / "performance.md"
REPEATS = 5
BATCH = 16
WARM_UPS = 3
FILES_A_REQUEST = 16
REQUESTS = 20
SOCKET_READ_BYTES = 256 * 1024
"""What asyncio asks a socket for."""

Parts = dict[str, float]
"""CPU milliseconds an image, by what they were spent on."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profiles", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="X-rays to use (default: the originals, else made)")
    parser.add_argument("--write", action="store_true", help="also put the tables into docs/performance.md")
    asked = parser.parse_args(arguments)
    files = images.load(asked.images).files
    torch.set_num_threads(1)
    pixels = np.stack([ours(data) for data in files[:BATCH]])
    tables = [
        _table("forward", eager_forward(pixels), engine_forward(pixels)),
        _table("decode", plain_decode(files), our_decode(files)),
        _table("upload, apart from storing", upload(files, SOCKET_READ_BYTES // 4), upload(files, PIECE_BYTES)),
    ]
    text = "\n\n".join(tables)
    print(text)
    if asked.write:
        write_into(DOCUMENT, "profiles", text)


def eager_forward(pixels: NDArray[np.uint8]) -> Parts:
    """uint8 (N, 224, 224) through eager torch in channels_last."""
    network = checkpoint.load(DEFAULT).network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
    gray = torch.from_numpy(pixels)
    with torch.inference_mode():
        network(gray)
        with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
            for _ in range(REPEATS):
                network(gray)
    kinds = {
        "convolution": "convolutions, float32",
        "batch_norm": "batch normalisation",
        "relu": "activations and sums",
    }
    kinds |= {"add": "activations and sums", "max_pool": "pooling"}
    parts: Parts = {}
    for event in profiler.key_averages():
        name = next((kind for word, kind in kinds.items() if word in event.key), "everything else")
        parts[name] = parts.get(name, 0) + event.self_cpu_time_total / 1e3 / REPEATS / len(pixels)
    return parts


def engine_forward(pixels: NDArray[np.uint8]) -> Parts:
    """The same through the engine that `auto` takes on this CPU."""
    made = checkpoint.load(DEFAULT)
    assert made.card.quantization is not None  # of the shipped model
    model = graph.quantised(fuse(made.network), made.card.quantization, 1)
    precision = "bf16" if has_bfloat16() else "f32"
    options = {"PERF_COUNT": "YES", "INFERENCE_NUM_THREADS": "1", "INFERENCE_PRECISION_HINT": precision}
    request = core().compile_model(model, "CPU", options).create_infer_request()
    parts: Parts = {}
    for number in range(WARM_UPS + len(pixels)):
        request.infer([planes(pixels[number % len(pixels) :][:1])])
        for node in request.get_profiling_info() if number >= WARM_UPS else ():
            name = _kind(node)
            parts[name] = parts.get(name, 0) + node.real_time.total_seconds() * 1e3 / len(pixels)
    return parts


def _kind(node: Any) -> str:
    """What the plugin did in a node, by its type and by the type of number that its kernel's name ends with."""
    if node.node_type != "Convolution":
        return "pooling" if node.node_type in ("MaxPool", "ReduceMean") else "everything else"
    number = node.exec_type.rpartition("_")[2].lower()
    return f"convolutions with what follows them, {'int8' if number in ('i8', 'u8') else number}"


def plain_decode(files: Sequence[bytes]) -> Parts:
    def opened(data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    full, gray = [opened(data) for data in files], [opened(data).convert("L") for data in files]
    return {
        "entropy decoding": _ms(_eighth, files),
        "inverse DCT and colour": _ms(opened, files) - _ms(_eighth, files),
        "to gray": _ms(lambda image: image.convert("L"), full),
        "resize": _ms(lambda image: image.resize((INPUT_PX, INPUT_PX), FILTER), gray),
    }


def our_decode(files: Sequence[bytes]) -> Parts:
    scaled = partial(_scaled, DECODED_PX)
    parts = {
        "entropy decoding": _ms(_eighth, files),
        "inverse DCT and colour": _ms(scaled, files) - _ms(_eighth, files),
        "resize": _ms(lambda image: image.resize((INPUT_PX, INPUT_PX), FILTER), [scaled(data) for data in files]),
    }
    return parts | {"checks and copies": _ms(ours, files) - sum(parts.values())}


def _eighth(data: bytes) -> Image.Image:
    """At an eighth there is no inverse DCT left: what remains is reading the bits."""
    return _scaled(1, data)


def _scaled(at_least_px: int, data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft("L", (at_least_px, at_least_px))
    image.load()
    return image


def upload(files: Sequence[bytes], piece_bytes: int) -> Parts:
    """A request of sixteen files through uvicorn's parser of HTTP and our reader of forms, in pieces as they arrive."""
    request = multipart("/", "files", [(str(number), data) for number, data in enumerate(files[:FILES_A_REQUEST])])
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request.body)}\r\n\r\n".encode()
    total_s = finding_s = 0.0
    for _ in range(REQUESTS):
        here, there = _connected()
        sender = Thread(target=there.sendall, args=(head + request.body,))
        sender.start()
        body = _Received(len(request.body))
        form = FormReader(BOUNDARY.encode(), _NoSpools(), max_parts=None, max_fields_bytes=0)
        parser = httptools.HttpRequestParser(body)
        started_s = time.thread_time()
        while not body.complete:
            while len(body.waiting) < piece_bytes and not body.complete:
                parser.feed_data(here.recv(SOCKET_READ_BYTES))
            finding_s -= time.thread_time()
            form.feed(bytes(body.waiting))
            finding_s += time.thread_time()
            body.waiting.clear()
        total_s += time.thread_time() - started_s
        sender.join()
        here.close()
        there.close()
    an_image_ms = 1e3 / REQUESTS / FILES_A_REQUEST
    return {
        "reading the body": (total_s - finding_s) * an_image_ms,
        "finding the files in it": finding_s * an_image_ms,
    }


class _Received:
    """The bytes of a body that the HTTP parser has passed on and that nobody has taken yet."""

    def __init__(self, size_bytes: int) -> None:
        self.waiting = bytearray()
        self._missing_bytes = size_bytes

    @property
    def complete(self) -> bool:
        return self._missing_bytes == 0

    def on_body(self, data: bytes) -> None:
        self.waiting += data
        self._missing_bytes -= len(data)


class _NoSpools:
    """Spools that keep nothing, for what is measured is apart from storing."""

    def new(self) -> Spool:
        return cast(Spool, io.BytesIO())

    def close(self) -> None:
        return


def _connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection; a pair of Unix sockets would hold far less at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        return server.accept()[0], there


def _ms(do: Callable[[Any], Any], each: Sequence[Any]) -> float:
    """CPU milliseconds of `do` for each, the best of some rounds: what disturbs only ever adds."""
    rounds = []
    for _ in range(REPEATS):
        started_s = time.process_time()
        for one in each:
            do(one)
        rounds.append(time.process_time() - started_s)
    return min(rounds) * 1e3 / len(each)


def _table(name: str, before: Parts, after: Parts) -> str:
    """Largest first."""
    names = sorted(before | after, key=lambda part: -max(before.get(part, 0), after.get(part, 0)))
    lines = [[part, *(_shown(parts.get(part)) for parts in (before, after))] for part in names]
    lines.append(["**all of it**", *(f"**{sum(parts.values()):.2f}**" for parts in (before, after))])
    return report.table([f"{name}, CPU ms an image", "before", "after"], lines)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
