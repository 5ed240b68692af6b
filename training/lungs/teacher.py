"""The lung network of a training run, kept on disk so that it is trained once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from core.atomic import replacement
from training.lungs import masks
from training.lungs.network import LungNetwork
from training.progress import StageProgress

STEPS = 600
"""Batches from which it learns: some minutes on one core."""


def load_or_learn(
    file: Path, pixels: NDArray[np.uint8], clear: NDArray[np.bool_], seed: int, progress: StageProgress
) -> LungNetwork:
    """The network in `file`, which is made from images uint8 (N, H, W) if it is not there; see `masks.learn`.

    Raises:
        InvalidInput: no film has lungs that are found without doubt.
    """
    if not file.exists():
        made = masks.learn(pixels, clear, steps=STEPS, seed=seed, progress=progress)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacement(file) as draft:
            save_file(made.state_dict(), draft)
    network = LungNetwork()
    network.load_state_dict(load_file(file))
    return network.eval()
