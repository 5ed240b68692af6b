"""The line that tells how long single images wait."""

from __future__ import annotations

from benchmarks.single_waits import line


def test_a_rare_long_wait_shows() -> None:
    waits = [0.05] * 98 + [0.9, 5.5]
    assert line("sqlite", waits) == "sqlite        100 uploads  p50 0.050 s  p99 0.900 s  worst 5.500 s"
