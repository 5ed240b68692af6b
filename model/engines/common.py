"""What every engine does the same way around its forward pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import OutOfMemory
from imaging.transform import INPUT_PX
from model.decision import Results
from model.ood import Domain
from model.resnet import Seen

HALF_MAX = torch.finfo(torch.float16).max
CPU_BATCH = 16
"""`Predictor.batch_size` on a CPU, for each thread that takes images of its own, where more is hardly faster."""


def check(batch: NDArray[np.uint8]) -> None:
    """Raises ValueError unless it is uint8 (N, 224, 224)."""
    if batch.dtype != np.uint8 or batch.shape[1:] != (INPUT_PX, INPUT_PX):
        raise ValueError(f"expected uint8 (N, {INPUT_PX}, {INPUT_PX}), got {batch.dtype} {batch.shape}")


class Outputs(NamedTuple):
    """The fields of `Results`, still as tensors of the device that made them."""

    probability: Tensor
    domain_score: Tensor
    cam: Tensor


def outputs(seen: Seen, domain: Domain | None) -> Outputs:
    """Probability, domain score (NaN without statistics) and map of what the network saw."""
    score = torch.full_like(seen.logits, torch.nan) if domain is None else domain.score(seen.pooled)
    return Outputs(seen.logits.sigmoid(), score, seen.cam.clamp(-HALF_MAX, HALF_MAX).half())


def results(seen: Seen, domain: Domain | None) -> Results:
    """The same of a network on the CPU."""
    return Results(*(its.numpy() for its in outputs(seen, domain)))


def out_of_memory(batch: NDArray[np.uint8]) -> OutOfMemory:
    return OutOfMemory(f"A batch of {len(batch)} images does not fit into memory.")
