"""Results as a run would have left them."""

from __future__ import annotations

from benchmarks.results import Results
from benchmarks.rows import Row
from benchmarks.service import STAGES

MACHINE = {"processor": "Some CPU", "cores": "2 of 2", "commit": "abc1234"}


def service_row() -> Row:
    """10 + 20 + 60 + 10 ms an image: 20 images/s of roofline on two cores, of which 0.8 was reached."""
    row = Row(facts={"bound by": "forward, 60% of the CPU seconds of an image"})
    for stage, cpu_ms in zip(STAGES, (10.0, 20.0, 60.0, 10.0), strict=True):
        row.add(f"alone_{stage}_cpu_ms", cpu_ms - 1, cpu_ms, cpu_ms + 1)
    row.add("alone_client_cpu_ms", 2.0)
    row.add("roofline_images_per_s", 19.0, 20.0, 21.0)
    row.add("service_images_per_s", 15.0, 16.0, 17.0)
    row.add("ratio", 0.79, 0.80, 0.81)
    row.add("ratio_with_client", 0.82)
    row.add("in_service_web_cpu_ms", 11.0)
    row.add("in_service_idle_share", 0.05)
    row.add("image_bytes", 300_000.0)
    return row


def results(**rows: Row) -> Results:
    measured = Results()
    for name, row in rows.items():
        measured.add(name, row, MACHINE, "3 files of test")
    return measured


def row(**figures: tuple[float, ...]) -> Row:
    made = Row()
    for name, values in figures.items():
        made.add(name, *values)
    return made
