"""`pneumoscreen worker` with an engine that needs no network; run as a process of its own.

Its one argument is how long a forward pass takes, in seconds. An image without any dark pixel is poison: it
kills the process at once, as a fault in native code does, or the kernel when memory runs out.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from numpy.typing import NDArray

from core import settings
from model import loaded
from model.loaded import LoadedModel
from model.output import NetworkOutput
from model.registry import Entry
from tests.testing.fakes import FakeEngine, Floats, fake_model
from worker import app

POISON_ABOVE = 120


class SlowEngine(FakeEngine):
    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        time.sleep(float(sys.argv[1]))
        if (pixels.min((1, 2)) > POISON_ABOVE).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(pixels)


def load(source: Entry, engine: str) -> LoadedModel:
    """Whatever checkpoint is deployed: by its name and hash, without its network."""
    return fake_model(SlowEngine(), name=source.name, sha256=source.sha256)


if __name__ == "__main__":
    vars(loaded)["load"] = load
    sys.exit(app.run(settings.load()))
