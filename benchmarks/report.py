"""The results as Markdown: targets, roofline, every other figure, the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Results
from benchmarks.service import STAGES
from benchmarks.spread import Spread
from benchmarks.targets import Target

MET = {True: "yes", False: "**no**"}
UNITS = {"images_per_s": "images/s", "_ms": "ms", "_s": "s", "_share": "of all cores", "ratio": "×"}


def number(value: float) -> str:
    """Three digits that matter."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def spread(figure: Spread) -> str:
    """`median (low–high)`; the range is left out of a single value."""
    if len(figure.values) == 1:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.low)}–{number(figure.high)})"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def of_targets(results: Results, targets: Iterable[Target]) -> str:
    lines = []
    for target in targets:
        row = results.rows.get(target.row)
        figure = row.figures.get(target.figure) if row else None
        if figure is None:
            lines.append([target.words, target.shown, "not measured", ""])
        else:
            lines.append([target.words, target.shown, spread(figure), MET[target.met(figure)]])
    return table(["what", "target", "median (min–max)", "met"], lines)


def of_roofline(results: Results) -> str:
    """Stage by stage: alone, and in the service; what bounds it and how far it is from that. Empty if not measured."""
    row = results.rows.get("service")
    if row is None:
        return ""
    figures = row.figures
    total_ms = sum(figures[f"alone_{name}_cpu_ms"].median for name in STAGES)
    lines = [
        [name, spread(cpu_ms := figures[f"alone_{name}_cpu_ms"]), f"{cpu_ms.median / total_ms:.0%}"] for name in STAGES
    ]
    parts = [
        f"{name.removeprefix('in_service_').removesuffix('_cpu_ms')} {number(cpu_ms.median)} ms"
        for name, cpu_ms in figures.items()
        if name.startswith("in_service_") and name.endswith("_cpu_ms")
    ]
    return "\n\n".join(
        [
            table(["stage, alone", "CPU ms an image", "share"], lines),
            f"Roofline {spread(figures['roofline_images_per_s'])} images/s, bound by {row.facts['bound by']}. "
            f"The service: {spread(figures['service_images_per_s'])} images/s, {spread(figures['ratio'])} of it; "
            f"{spread(figures['ratio_with_client'])} of a roofline that also holds the client's "
            f"{number(figures['alone_client_cpu_ms'].median)} ms, which are spent on the same cores.",
            f"In the whole service an image takes, of CPU time: {', '.join(parts)}; "
            f"{figures['in_service_idle_share'].median:.0%} of the cores' time is left idle.",
        ]
    )


def of_figures(results: Results) -> str:
    lines = []
    for name, row in results.rows.items():
        lines += [[name, *_named(figure), spread(values)] for figure, values in row.figures.items()]
        lines += [[name, key, "", text] for key, text in row.facts.items()]
    return table(["row", "figure", "unit", "median (min–max)"], lines)


def of_machine(results: Results) -> str:
    """One table for each machine (or run) that the rows come from."""
    runs: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, machine in results.machines.items():
        facts = machine | {"images": results.images[name]}
        runs.setdefault(tuple(facts.items()), []).append(name)
    tables = []
    for run_facts, names in runs.items():
        tables.append(table([f"rows {', '.join(names)}", ""], [[key, value] for key, value in run_facts]))
    return "\n\n".join(tables)


def _named(figure: str) -> tuple[str, str]:
    """A figure's name without its unit, and the unit."""
    for suffix, unit in UNITS.items():
        if figure.endswith(suffix):
            return figure.removesuffix(suffix).replace("_", " ").strip() or figure.replace("_", " "), unit
    return figure.replace("_", " "), ""
