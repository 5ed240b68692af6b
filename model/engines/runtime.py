"""OpenVINO without its telemetry. Import it from here, never by itself.

On import it reports its version and a made-up client id to its makers, unless someone has declined on this machine
before. A hospital's worker tells nobody anything: with that package out of reach OpenVINO takes a stub of its own.
"""

from __future__ import annotations

import sys
from functools import cache

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's own way to say: not importable

import openvino as ov  # noqa: E402  # only after the line above
from openvino import opset15 as ops  # noqa: E402

__all__ = ["core", "has_bfloat16", "ops", "ov"]


@cache
def core() -> ov.Core:
    """The one of this process, for good.

    OpenVINO's CPU plugin gives the thread that loads it a signal stack, and the one before back when it is unloaded.
    Two that are not unloaded in reverse order leave the thread with a stack that is gone: its next signal kills it.
    """
    return ov.Core()


@cache
def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 by itself; where it does not, it would be slower than float32."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
