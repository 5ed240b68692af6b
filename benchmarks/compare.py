"""Two results, of two commits: which figures have changed by more than their repeats lie apart."""

from __future__ import annotations

from benchmarks.report import spread, table
from benchmarks.results import Results
from benchmarks.spread import Spread


def apart(before: Spread, after: Spread) -> bool:
    """Whether the two ranges do not touch. Single values are exact (counts), and so are apart when they differ."""
    return before.high < after.low or after.high < before.low


def changes(before: Results, after: Results) -> str:
    """A table of all figures that both have."""
    lines = []
    for name, row in after.rows.items():
        if name not in before.rows:
            continue
        for figure, now in row.figures.items():
            then = before.rows[name].figures.get(figure)
            if then is not None:
                lines.append([name, figure, spread(then), spread(now), _by(then, now), _verdict(then, now)])
    return table(["row", "figure", "before", "now", "change", "beyond the noise"], lines)


def warning(before: Results, after: Results) -> str:
    """A sentence if the two are of different machines or images, where only ratios compare; else empty."""
    keys = ("processor", "cores", "memory", "GPU")
    shared = before.rows.keys() & after.rows.keys()
    machines = {
        tuple(results.machines[name].get(key, "") for key in keys) for results in (before, after) for name in shared
    }
    images = {results.images[name] for results in (before, after) for name in shared}
    if len(machines) <= 1 and len(images) <= 1:
        return ""
    return "The two were measured on different machines or images: compare the ratios, not the rates."


def _by(then: Spread, now: Spread) -> str:
    return f"{now.median / then.median - 1:+.0%}" if then.median else ""


def _verdict(then: Spread, now: Spread) -> str:
    return "yes" if apart(then, now) else "no"
