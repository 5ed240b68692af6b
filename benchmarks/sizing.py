"""`python -m benchmarks.sizing build/bench/bench.json`: images per hour by hardware, from measured stages."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import database, results
from benchmarks.report import table
from benchmarks.results import Results
from benchmarks.service import STAGES

CORES = (2, 4, 8, 16, 32)
PER = 100_000
"""Images for which growth is given."""
SAMPLE = 2_000
"""Rows from which the growth of the database is measured."""
ADVICE = {
    "forward": "more cores for workers (`--workers`, or another host), or a GPU: a worker takes one where there is one",
    "decode": "more cores for workers, beside a GPU too: a worker decodes on as many as it has",
    "upload": "more web processes (`PNEUMOSCREEN_WEB_PROCESSES`) or web hosts behind one address",
    "database": "PostgreSQL instead of SQLite, then a faster disk for it; workers and web scale without it",
}


@dataclass(frozen=True, slots=True)
class Stages:
    """CPU seconds an image of each stage alone, and the share of the roofline that the service reached (0 to 1)."""

    cpu_s: dict[str, float]
    efficiency: float

    def images_per_hour(self, cores: int) -> float:
        return 3600 * self.efficiency * cores / sum(self.cpu_s.values())

    def beside_gpus(self, gpu_images_per_s: float, gpus: int) -> tuple[float, float]:
        """Images per hour of so many GPUs, and the cores that the other stages need to keep up with them."""
        rate = gpu_images_per_s * gpus
        others_s = sum(cpu_s for name, cpu_s in self.cpu_s.items() if name != "forward")
        return 3600 * self.efficiency * rate, rate * others_s

    @property
    def by_share(self) -> list[tuple[str, float]]:
        """Stages, the one that takes most first, with their share of the whole."""
        total_s = sum(self.cpu_s.values())
        return sorted(((name, cpu_s / total_s) for name, cpu_s in self.cpu_s.items()), key=lambda item: -item[1])


def stages_of(measured: Results) -> Stages:
    """Medians of the row `service`.

    Raises:
        KeyError: that row was not measured.
    """
    figures = measured.rows["service"].figures
    cpu_s = {name: figures[f"alone_{name}_cpu_ms"].median / 1e3 for name in STAGES}
    return Stages(cpu_s, min(1.0, figures["ratio"].median))


def row_bytes(sample: int = SAMPLE) -> float:
    """What an image with its prediction and map takes in the database, indexes included: measured on SQLite."""
    with tempfile.TemporaryDirectory(prefix="pns-bench-") as name:
        file = Path(name) / "size.db"
        bench = database.Bench(f"sqlite:///{file}", lambda: 0.0)
        bench.run(sample)
        first = _size(bench, file)
        bench.run(sample)
        second = _size(bench, file)
        bench.database.dispose()
    return (second - first) / sample


def _size(bench: database.Bench, file: Path) -> int:
    """With what the write-ahead log holds."""
    with bench.database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def page(measured: Results, gpu: Results | None = None, image_bytes: float | None = None) -> str:
    """The part of docs/sizing.md that follows from figures; empty of them where the row `service` was not measured."""
    if "service" not in measured.rows:
        return "The row `service` has not been measured."
    stages = stages_of(measured)
    size = image_bytes or measured.rows["service"].figures["image_bytes"].median
    machine = measured.machines["service"]
    parts = [
        f"Measured on {machine['processor']}, {machine['cores']} cores, commit {machine['commit']}: an image takes "
        f"{sum(stages.cpu_s.values()) * 1e3:.1f} ms of CPU time, and the service reaches {stages.efficiency:.0%} of "
        "what the cores could do at best. Other processors differ; the table assumes the same share on more of them.",
        _cores(stages),
        _growth(size, row_bytes()),
        _next(stages),
    ]
    if gpu is not None and "gpu_forward" in gpu.rows:
        parts.insert(2, _gpus(stages, gpu))
    return "\n\n".join(parts)


def _cores(stages: Stages) -> str:
    lines = [
        [str(cores), f"{stages.images_per_hour(cores):,.0f}", _duration(PER / stages.images_per_hour(cores))]
        for cores in CORES
    ]
    return table(["CPU cores, everything on them", "images per hour", f"{PER:,} images take"], lines)


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _gpus(stages: Stages, gpu: Results) -> str:
    rate = gpu.rows["gpu_forward"].figures["best_images_per_s"].median
    lines = []
    for gpus in (1, 2, 4):
        an_hour, cores = stages.beside_gpus(rate, gpus)
        lines.append([str(gpus), f"{an_hour:,.0f}", f"{cores:,.0f}"])
    name = gpu.machines["gpu_forward"].get("GPU", "GPU")
    return table([f"{name}, how many", "images per hour at most", "cores that decode, take uploads and write"], lines)


def _growth(image_bytes: float, database_bytes: float) -> str:
    lines = [
        ["blob store (the files as they were sent)", f"{PER * image_bytes / 1e9:.1f} GB"],
        ["database (rows, predictions, maps, indexes)", f"{PER * database_bytes / 1e6:.0f} MB"],
    ]
    return table(["disk", f"growth for {PER:,} images of {image_bytes / 1e3:.0f} kB"], lines)


def _next(stages: Stages) -> str:
    lines = [
        [name, f"{stages.cpu_s[name] * 1e3:.1f} ms", f"{share:.0%}", ADVICE[name]] for name, share in stages.by_share
    ]
    return table(["stage", "CPU an image", "share", "scale it with"], lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("json", type=Path, help="results of `make bench`")
    parser.add_argument("--gpu", type=Path, help="results of `make bench-gpu`")
    parser.add_argument("--image-kb", type=float, help="mean size of your files (default: that of those measured)")
    asked = parser.parse_args(arguments)
    image_bytes = asked.image_kb * 1e3 if asked.image_kb else None
    print(page(results.load(asked.json), results.load(asked.gpu) if asked.gpu else None, image_bytes))


if __name__ == "__main__":
    main()
