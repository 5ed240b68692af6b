"""Throughput against batch size, latency against load, scaling against workers: one picture each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.results import Results


@dataclass(frozen=True, slots=True)
class Plot:
    row: str
    file: str
    x: str
    y: str
    log_x: bool = True


PLOTS = (
    Plot("forward", "batch-size.png", "images in a batch", "images per second"),
    Plot("gpu_forward", "gpu-batch-size.png", "images in a batch", "images per second"),
    Plot("latency", "latency.png", "single images per second", "seconds from submit to result"),
    Plot("workers", "workers.png", "workers, one core each", "images per second"),
)


def draw(results: Results, folder: Path) -> list[Path]:
    """Those whose rows were measured; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in PLOTS:
        row = results.rows.get(plot.row)
        if row is None or not row.series:
            continue
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name, points in row.series.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        ticks = sorted({x for points in row.series.values() for x, _ in points})
        if plot.log_x:
            axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.set(xlabel=plot.x, ylabel=plot.y, ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
        path = folder / plot.file
        figure.savefig(path, dpi=110)
        written.append(path)
    return written
