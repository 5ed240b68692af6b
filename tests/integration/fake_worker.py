"""`pneumoscreen worker` with an engine that needs no network; run as a process of its own.

Its one argument is how long a forward pass takes, in seconds. An image without any dark pixel is poison: the process
dies of it on the spot, as of a fault in native code or by the kernel's hand when memory runs out.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import settings
from model import loaded
from model.output import NetworkOutput
from tests.testing.fakes import FAKE_NAME, FAKE_SHA256, FakeEngine, Floats, fake_model
from worker import app

POISON_ABOVE = 120


class SlowEngine(FakeEngine):
    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        time.sleep(float(sys.argv[1]))
        if (pixels.min((1, 2)) > POISON_ABOVE).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(pixels)


class OneModel:
    """The registry, as far as the worker asks it."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir

    def active(self) -> Any:
        card = SimpleNamespace(model_dump=lambda mode: {}, quantization=None)
        return SimpleNamespace(sha256=FAKE_SHA256, name=FAKE_NAME, card=card)


if __name__ == "__main__":
    vars(app)["Registry"] = OneModel
    vars(loaded)["load"] = lambda source, engine: fake_model(SlowEngine())
    sys.exit(app.run(settings.load()))
