"""What the service is held to. Each is a ratio of two measurements of one run, or a count."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.spread import Spread


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of a row, and the least (or, with `at_most`, the most) that it may be."""

    row: str
    figure: str
    words: str
    bound: float
    at_most: bool = False

    def met(self, spread: Spread) -> bool:
        """By the median."""
        return spread.median <= self.bound if self.at_most else spread.median >= self.bound

    @property
    def shown(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:,g}"


ON_CPU = (
    Target("service", "ratio", "whole service over its roofline", 0.85),
    Target("published", "ratio", "whole service over the published design", 4),
    Target("litserve", "ratio", "whole service over LitServe", 2.5),
    Target("bentoml", "ratio", "whole service over BentoML", 2.5),
    Target("ray", "ratio", "whole service over Ray Serve", 2.5),
    Target("forward", "ratio", "forward pass over eager channels_last torch", 2.5),
    Target("forward", "decisions_changed", "decisions that differ from eager torch", 0, at_most=True),
    Target("decode", "ratio", "decode to 224 x 224 over plain Pillow", 1.8),
    Target("decode", "decisions_changed", "decisions that differ after plain Pillow", 0, at_most=True),
    Target("latency", "ratio", "one image behind a full queue, p95 over one batch", 2.5, at_most=True),
    Target("workers", "ratio", "two workers over one", 1.8),
    Target("upload", "ratio", "front end alone over writing the bytes", 0.5),
    Target("history", "ratio_of_sqlite", "history page and API over a large archive, p95 (SQLite)", 2, at_most=True),
    Target("history", "ratio_of_postgresql", "the same on PostgreSQL", 2, at_most=True),
)

ON_GPU = (
    Target("gpu_service", "ratio", "whole service over its slowest stage", 0.8),
    Target("gpu_forward", "best_images_per_s", "forward pass in half precision, images/s", 30_000),
    Target("gpu_forward", "decisions_changed", "decisions that differ from float32", 0, at_most=True),
)
