"""LitServe with dynamic batching: decode_request, batch, predict, unbatch, as its documentation has it for images."""

from __future__ import annotations

from typing import Any

import litserve as ls
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.screening import BATCH, PORT, WORKERS, Network, pixels


class Screening(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.network = Network()

    def decode_request(self, request, **_: Any) -> NDArray[np.uint8]:  # type: ignore[no-untyped-def]
        # Without a type, for FastAPI reads it: any other than its own Request would be a parameter of the query.
        return pixels(request["file"].file.read())

    def batch(self, inputs: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        return inputs

    def predict(self, x: list[NDArray[np.uint8]], **_: Any) -> list[float]:
        return self.network.predict(x)

    def unbatch(self, output: list[float]) -> list[float]:
        return output

    def encode_response(self, output: float, **_: Any) -> dict[str, float]:
        return {"probability": output}


if __name__ == "__main__":
    api = Screening(max_batch_size=BATCH, batch_timeout=0.05)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, timeout=120)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning")
