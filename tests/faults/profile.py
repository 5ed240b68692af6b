"""How long things last in a pass of the matrix: as in production, or shortened for every commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    lease_s: float
    heartbeat_s: float
    sweep_interval_s: float
    stale_s: float
    pause_s: float
    """How long a paused server stays paused."""
    images: int
    """At least so many a run; more come as long as the fault lasts."""
    batch_size: int
    forward_s: float
    """How long a forward pass of the fake network takes."""
    spread_s: float
    """The fault comes at a random moment within so long of the first upload."""
    patience_s: float
    """After this without an end, an image counts as lost."""


LONG = Profile("long", 8.0, 2.0, 1.0, 5.0, 30.0, images=80, batch_size=8, forward_s=0.15, spread_s=1.0, patience_s=60)
"""The defaults of the settings."""

SHORT = Profile("short", 2.0, 0.4, 0.1, 1.0, 2.5, images=24, batch_size=4, forward_s=0.05, spread_s=0.4, patience_s=60)
