"""One safetensors file: float16 weights, and the card as JSON in its header.

The sha256 of the file binds weights, calibration and operating point together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_bytes
from torch import Tensor

from core.atomic import write_bytes
from core.errors import ModelInvalid
from model import gate as gates
from model import ood as statistics
from model import population as populations
from model import weights
from model.card import Card
from model.files import file_sha256, read_card, verify
from model.gate import GATE_PREFIX, Gate
from model.ood import OOD_PREFIX, OodStatistics
from model.population import POPULATION_PREFIX, PopulationHead
from model.resnet import GrayResNet, build

__all__ = ["Checkpoint", "load", "read_card", "save", "save_again"]


@dataclass(frozen=True)
class Checkpoint:
    """A network with float32 weights in inference mode, its card, and the sha256 of its file in hex.

    `ood` and `gate` are None in a checkpoint made before there were any; with neither it cannot refuse an image.
    `population` is None in one that judges all images alike.
    """

    network: GrayResNet
    card: Card
    sha256: str
    ood: OodStatistics | None = None
    gate: Gate | None = None
    population: PopulationHead | None = None


def save(
    path: Path,
    network: GrayResNet,
    card: Card,
    ood: OodStatistics | None = None,
    gate: Gate | None = None,
    population: PopulationHead | None = None,
) -> str:
    """Write the checkpoint atomically and return the sha256 of its file.

    Raises:
        ValueError: a weight does not fit in float16, or card and file disagree about ood statistics, a gate or the
            layer that tells populations.
    """
    if (ood is None) != (card.ood is None):
        raise ValueError("ood statistics belong to a card with an ood limit, and the other way round")
    if (gate is None) != (card.gate is None):
        raise ValueError("a gate belongs to a card with a section on it, and the other way round")
    if (population is None) != (card.populations is None):
        raise ValueError("a layer that tells populations belongs to a card with a section on them")
    tensors = {name: _half(name, tensor) for name, tensor in network.body.state_dict().items()}
    for part in (ood, gate, population):
        if part is not None:
            tensors |= {name: torch.from_numpy(array).contiguous() for name, array in part.state().items()}
    write_bytes(path, save_bytes(tensors, metadata={"card": card.model_dump_json()}))
    return file_sha256(path)


def save_again(path: Path, original: Checkpoint, card: Card) -> str:
    """Write `original` with another card, all else as it is."""
    return save(path, original.network, card, original.ood, original.gate, original.population)


def load(path: Path, expect_sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint, verifying its hash when one is expected.

    Raises:
        ModelInvalid: missing, damaged, another hash, or of another architecture or preprocessing.
    """
    card, sha256 = read_card(path), verify(path, expect_sha256)
    weights.check(path, card)
    network = build(equalised=card.equalised)
    try:
        tensors = {name: _float(tensor) for name, tensor in load_file(path).items()}
        of_ood, of_gate = _taken(tensors, OOD_PREFIX), _taken(tensors, GATE_PREFIX)
        of_population = _taken(tensors, POPULATION_PREFIX)
        network.body.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelInvalid(f"The model {path} does not hold the weights of a ResNet-18.") from error
    ood = statistics.from_state(of_ood) if of_ood else None
    gate = gates.from_state(of_gate) if of_gate else None
    population = populations.from_state(of_population) if of_population else None
    return Checkpoint(network.requires_grad_(False), card, sha256, ood, gate, population)


def _taken(tensors: dict[str, Tensor], prefix: str) -> Mapping[str, NDArray[np.float32]]:
    """Those whose names begin with `prefix`, which are taken out of `tensors`."""
    return {name: tensors.pop(name).numpy() for name in list(tensors) if name.startswith(prefix)}


def _half(name: str, tensor: Tensor) -> Tensor:
    half = tensor.half().contiguous() if tensor.is_floating_point() else tensor
    if not bool(half.isfinite().all()):
        raise ValueError(f"{name} does not fit in float16")
    return half


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
