"""The row of a large archive, from what `python -m benchmarks.history --json build/bench/history.json` wrote.

That takes longer than everything here, so it is started by itself and its figures are only read.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.rows import Row, Setup

FILE = Path("bench") / "history.json"


class NotThere(Exception):
    """Nobody has measured it."""


def measured(build: Path) -> bool:
    return (build / FILE).exists()


def measure(setup: Setup) -> Row:
    """`ratio`: p95 in the large archive over p95 in the small one, of the case in which it is largest.

    Raises:
        NotThere: the file is not there.
    """
    path = setup.build / FILE
    if not path.exists():
        raise NotThere(f"run `python -m benchmarks.history --json {path}` first, it takes a while")
    cases = json.loads(path.read_text(encoding="utf-8"))
    worst = max(cases, key=lambda case: float(case["ratio"]))
    row = Row(facts={"worst case": f"{worst['case']} on {worst['database']}, of {len(cases)} cases"})
    row.add("ratio", float(worst["ratio"]))
    row.add("small_p95_ms", float(worst["small_p95_ms"]))
    row.add("large_p95_ms", float(worst["large_p95_ms"]))
    return row
