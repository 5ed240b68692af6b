"""`make bench`: what every stage and the whole service take on this machine, and how that compares with others.

python -m benchmarks                             all rows, 15 to 20 minutes on two quiet cores
python -m benchmarks --rows decode,forward       some; the others stay in the JSON as they are
python -m benchmarks --compare OLD.json          against the JSON of another commit
python -m benchmarks --gpu                       the rows of a GPU machine (`make bench-gpu`)
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import (
    compare,
    database,
    decode,
    forward,
    gpu,
    history_row,
    images,
    latency,
    machine,
    plots,
    report,
    results,
    service,
    singles,
    sizing,
    targets,
    upload,
    workers,
)
from benchmarks.peers import catalogue, rounds
from benchmarks.peers.environment import CannotInstall
from benchmarks.peers.server import PeerFailed
from benchmarks.results import Results
from benchmarks.rows import Row, Setup
from core.errors import ConfigurationError
from tests.testing.documents import write_into
from tests.testing.paths import REPOSITORY

Measure = Callable[[Setup], dict[str, Row]]

BUILD = REPOSITORY / "build"
DOCUMENT = REPOSITORY / "docs" / "performance.md"
SIZING = REPOSITORY / "docs" / "sizing.md"


def alone(name: str, measure: Callable[[Setup], Row]) -> Measure:
    return lambda setup: {name: measure(setup)}


ON_CPU: dict[str, Callable[[Setup], Row]] = {
    "decode": decode.measure,
    "forward": forward.measure,
    "database": database.measure,
    "upload": upload.measure,
    "service": service.measure,
    "workers": workers.measure,
    "latency": latency.measure,
    "singles": singles.measure,
    "history": history_row.measure,
}


NOT_MEASURED = (
    CannotInstall,
    ConfigurationError,
    PeerFailed,
    history_row.NotThere,
    latency.BacklogOver,
    rounds.WrongAnswer,
)
"""A row whose measurement raises one of these is left out, and the rest goes on."""


def plan(asked: Sequence[str], on_gpu: bool) -> list[tuple[str, Measure]]:
    """Phases in order. The peers that are asked for are one phase, since they take turns with our service."""
    kinds = gpu.ROWS if on_gpu else ON_CPU
    phases = [(name, alone(name, kinds[name])) for name in kinds if name in asked]
    peers = [peer for peer in catalogue.PEERS if peer.name in asked and not on_gpu]
    if peers:
        phases.append((", ".join(peer.name for peer in peers), partial(rounds.measure, peers=peers)))
    return phases


def names(on_gpu: bool) -> list[str]:
    return list(gpu.ROWS) if on_gpu else [*ON_CPU, *catalogue.BY_NAME]


def measure_all(phases: Sequence[tuple[str, Measure]], setup: Setup, measured: Results, path: Path) -> list[str]:
    """Each phase is saved as soon as it is over. What could not be measured, as sentences."""
    on, problems = machine.describe(), []
    for number, (name, measure) in enumerate(phases, 1):
        setup.say(f"[{number}/{len(phases)}] {name}")
        started_s = time.monotonic()
        try:
            rows = measure(setup)
        except NOT_MEASURED as error:
            problems.append(f"{name}: {error}")
            setup.say(f"  not measured: {error}")
            continue
        for row_name, row in rows.items():
            measured.add(row_name, row, on, setup.images.source)
        measured.save(path)
        setup.say(f"  {time.monotonic() - started_s:.0f} s")
    return problems


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the speed of this machine.")
    parser.add_argument("--gpu", action="store_true", help="the rows of a GPU machine instead")
    parser.add_argument("--rows", metavar="NAME,…", help="only these; see the names with --rows help")
    parser.add_argument("--images", type=Path, metavar="DIR", help="X-rays to use (default: the originals, else made)")
    parser.add_argument("--repeats", type=int, default=3, help="of every measurement (default: 3)")
    parser.add_argument("--count", type=int, default=480, help="images in a repeat of the service (default: 480)")
    parser.add_argument("--backlog", type=int, default=10_000, help="bulk images queued (default: 10000)")
    parser.add_argument("--json", type=Path, help="the results (default: build/bench/bench.json, or gpu.json)")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="results of another commit to compare with")
    parser.add_argument("--write", action="store_true", help="also put figures and plots into docs/")
    asked = parser.parse_args(arguments)
    known = names(asked.gpu)
    default = [name for name in known if name != "history" or history_row.measured(BUILD)]
    asked.rows = asked.rows.split(",") if asked.rows else default
    if wrong := [name for name in asked.rows if name not in known]:
        parser.error(f"no row {', '.join(wrong)}; there are {', '.join(known)}")
    asked.json = asked.json or BUILD / "bench" / ("gpu.json" if asked.gpu else "bench.json")
    return asked


def show(measured: Results, on_gpu: bool) -> str:
    """The whole report."""
    held_to = targets.ON_GPU if on_gpu else targets.ON_CPU
    parts = [report.of_targets(measured, held_to), report.of_roofline(measured), report.of_figures(measured)]
    return "\n\n".join(part for part in [*parts, report.of_machine(measured)] if part)


def write_documents(measured: Results, on_gpu: bool) -> None:
    """Into docs/: the figures of this kind of machine, its plots, and what follows for operators."""
    write_into(DOCUMENT, "figures of a GPU" if on_gpu else "figures", show(measured, on_gpu))
    plots.draw(measured, DOCUMENT.parent / "images" / "performance")
    if not on_gpu:
        write_into(SIZING, "sizing", sizing.page(measured))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything that was asked for was measured, else 1; missed targets are figures, not failures."""
    asked = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        if asked.gpu:
            gpu.require()
        measured = results.load(asked.json)
        before = results.load(asked.compare) if asked.compare else None
        xrays = images.load(asked.images)
    except (ConfigurationError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say = partial(print, flush=True)
    say(f"images: {xrays.source}, {xrays.mean_bytes / 1e3:.0f} kB each on average")
    setup = Setup(xrays, asked.repeats, asked.count, asked.backlog, say, BUILD)
    problems = measure_all(plan(asked.rows, asked.gpu), setup, measured, asked.json)
    say(show(measured, asked.gpu))
    if before is not None:
        say("\n".join(["", compare.warning(before, measured), compare.changes(before, measured)]))
    for path in plots.draw(measured, asked.json.parent):
        say(f"plot: {path}")
    say(f"results: {asked.json}")
    if asked.write:
        write_documents(measured, asked.gpu)
    for problem in problems:
        print(f"not measured: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
