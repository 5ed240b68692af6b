"""Which tensors a checkpoint's file must hold, found out without torch: the web image imports models and has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from core.errors import ModelInvalid
from core.kinds import ImageKind
from model.card import Card

Shape = tuple[int, ...]

OOD_PREFIX = "domain."
"""How the names of the ood statistics begin, which are tensors of the same file."""
GATE_PREFIX = "gate."
"""How the names of the gate's tensors begin."""
POPULATION_PREFIX = "population."
"""How the name of the layer begins that tells children from adults."""

STAGE_CHANNELS = (64, 128, 256, 512)
FEATURES = STAGE_CHANNELS[-1]
POOLED = sum(STAGE_CHANNELS[-2:])
"""Features averaged over the last two stages, from which the ood score and the gate's probabilities are made."""

_FLOATS = {"F16", "F32"}


def check(path: Path, card: Card) -> None:
    """Compare names, shapes and types of a file's tensors with the architecture's, and that all numbers are finite.

    Raises:
        ModelInvalid: they differ; the sentence names the first tensor that does.
    """
    expected = dict(resnet18())
    try:
        with safe_open(path, framework="np") as file:
            names = set(file.keys())
            if card.ood is not None:
                expected |= ood(_rows(file, f"{OOD_PREFIX}basis"))
            if card.gate is not None:
                expected |= gate(_rows(file, f"{GATE_PREFIX}hidden"))
            if card.populations is not None:
                expected |= population()
            if missing := sorted(expected.keys() - names):
                raise _not_ours(path, f"lacks the tensor {missing[0]}")
            if unknown := sorted(names - expected.keys()):
                raise _not_ours(path, f"has an unknown tensor {unknown[0]}")
            for name, shape in expected.items():
                _check_tensor(path, file, name, shape)
    except (OSError, SafetensorError) as error:
        raise ModelInvalid(f"The model {path} is damaged or no safetensors file; import it again.") from error


def resnet18() -> Iterator[tuple[str, Shape]]:
    """Names and shapes of torchvision's ResNet-18 with one output."""
    yield "conv1.weight", (64, 3, 7, 7)
    yield from _batch_norm("bn1", 64)
    before = 64
    for stage, channels in enumerate(STAGE_CHANNELS, start=1):
        for block in range(2):
            name, inputs = f"layer{stage}.{block}", before if block == 0 else channels
            yield f"{name}.conv1.weight", (channels, inputs, 3, 3)
            yield from _batch_norm(f"{name}.bn1", channels)
            yield f"{name}.conv2.weight", (channels, channels, 3, 3)
            yield from _batch_norm(f"{name}.bn2", channels)
            if inputs != channels:
                yield f"{name}.downsample.0.weight", (channels, inputs, 1, 1)
                yield from _batch_norm(f"{name}.downsample.1", channels)
        before = channels
    yield "fc.weight", (1, FEATURES)
    yield "fc.bias", (1,)


def ood(components: int) -> dict[str, Shape]:
    """Names and shapes of the ood statistics (model/ood.py) with that many principal components."""
    shapes: dict[str, Shape] = {
        "mean": (POOLED,),
        "scale": (POOLED,),
        "basis": (components, POOLED),
        "variance": (components + 1,),
        "weight": (POOLED + 1,),
        "ranges": (2, 2),
    }
    return {OOD_PREFIX + name: shape for name, shape in shapes.items()}


def gate(hidden: int) -> dict[str, Shape]:
    """Names and shapes of the gate's tensors (model/gate.py) with that many hidden units."""
    shapes: dict[str, Shape] = {
        "mean": (POOLED,),
        "scale": (POOLED,),
        "hidden": (hidden, POOLED + 1),
        "weight": (len(ImageKind), hidden + 1),
        "view": (POOLED + 1,),
    }
    return {GATE_PREFIX + name: shape for name, shape in shapes.items()}


def population() -> dict[str, Shape]:
    """Name and shape of the layer that tells children from adults (model/population.py)."""
    return {f"{POPULATION_PREFIX}weight": (FEATURES + 1,)}


def _batch_norm(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _rows(file: Any, name: str) -> int:
    """The number of rows of a tensor; 0 where there is none or it has no rows, which is then told."""
    shape = file.get_slice(name).get_shape() if name in file.keys() else ()  # noqa: SIM118  # it is no dict
    return int(shape[0]) if shape else 0


def _check_tensor(path: Path, file: Any, name: str, shape: Shape) -> None:
    held = file.get_slice(name)
    if tuple(held.get_shape()) != shape:
        raise _not_ours(path, f"has {name} in the shape {tuple(held.get_shape())}, not {shape}")
    allowed = {"I64"} if name.endswith("num_batches_tracked") else _FLOATS
    if held.get_dtype() not in allowed:
        raise _not_ours(path, f"has {name} as {held.get_dtype()}, not as {' or '.join(sorted(allowed))}")
    if not bool(np.isfinite(file.get_tensor(name)).all()):
        raise ModelInvalid(f"The model {path} has a number in {name} that is not finite; train or import it again.")


def _not_ours(path: Path, how: str) -> ModelInvalid:
    return ModelInvalid(f"The model {path} does not hold the weights of this version's ResNet-18: it {how}.")
