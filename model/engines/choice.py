"""Which engine `auto` is, and why. A card is all that has to be read for that."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from core.engines import EngineName
from core.errors import ConfigurationError
from model.card import PROBABILITY_CHANGE, Card

CPUINFO = Path("/proc/cpuinfo")
VNNI = {"avx512_vnni", "avx_vnni"}
"""Instructions, by their flags in Linux, that add products of bytes in 32 bits. Without them sums of 16 bits can
overflow, and int8 was not measured there.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine's name other than `auto`, and a clause that says why."""

    engine: EngineName
    reason: str


def choose(engine: EngineName, card: Card, *, cuda: bool) -> Choice:
    """Settle `auto`, and check that a named engine can run here.

    Raises:
        ConfigurationError: no CUDA device, no OpenVINO, or a model that was not quantised.
    """
    if engine == "auto":
        return _fastest(card, cuda=cuda)
    if engine == "torch-cuda" and not cuda:
        raise ConfigurationError("The engine is torch-cuda, but torch finds no CUDA device; use auto or torch-cpu.")
    if engine.startswith("openvino") and not has_openvino():
        raise ConfigurationError(f"The engine is {engine}, but OpenVINO is not installed; use auto or torch-cpu.")
    if engine == "openvino-int8" and (missing := _unquantised(card)):
        raise ConfigurationError(
            f"The engine is openvino-int8, but the model {card.name} {missing}; use auto, or "
            "quantise it with `pneumoscreen model quantize`."
        )
    return Choice(engine, "the settings name it")


def has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def has_vnni() -> bool:
    """Whether this CPU is known to have VNNI; False where there is no /proc/cpuinfo, as on macOS."""
    try:
        lines = CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not VNNI.isdisjoint(flags.split())


def _unquantised(card: Card) -> str | None:
    """Why the model has no int8, as words that go on from its name; None if it has."""
    if card.quantization is None:
        return "was not quantised"
    return None if card.quantization.complete else "was quantised by an earlier version"


def _fastest(card: Card, *, cuda: bool) -> Choice:
    if cuda:
        return Choice("torch-cuda", "there is a CUDA device")
    if not has_openvino():
        return Choice("torch-cpu", "neither a CUDA device nor OpenVINO is there")
    if card.quantization is None or not card.quantization.complete:
        return Choice("openvino", f"no CUDA device, and the model {_unquantised(card)}")
    if not card.quantization.good:
        return Choice(
            "openvino", f"no CUDA device, and in int8 the model strays too far (limit {PROBABILITY_CHANGE:g})"
        )
    if not has_vnni():
        return Choice("openvino", "no CUDA device, and no VNNI, without which int8 is not exact")
    return Choice("openvino-int8", "no CUDA device, and the model agrees with itself in int8")
