"""How fast a service could be at best, from what its stages take alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Roofline:
    """`bound_by` is the stage that holds it down most; `share` how much of the whole that stage is (0 to 1)."""

    images_per_s: float
    bound_by: str
    share: float


def of_cores(cores: int, cpu_s: Mapping[str, float]) -> Roofline:
    """Every core always busy with nothing but the stages: cores over the sum of their CPU seconds an image."""
    total_s = sum(cpu_s.values())
    bound_by = max(cpu_s, key=lambda name: cpu_s[name])
    return Roofline(cores / total_s, bound_by, cpu_s[bound_by] / total_s)


def of_slowest(images_per_s: Mapping[str, float]) -> Roofline:
    """Stages that run beside each other on hardware of their own: as fast as the slowest of them."""
    bound_by = min(images_per_s, key=lambda name: images_per_s[name])
    return Roofline(images_per_s[bound_by], bound_by, 1.0)
