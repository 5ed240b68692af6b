"""The row of a large archive, from what `python -m benchmarks.history --json build/bench/history.json` wrote.

That takes longer than everything here, so it is started by itself and its figures are only read.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.history import Figure, p95
from benchmarks.rows import Row, Setup

FILE = Path("bench") / "history.json"
RESULTS = ("/history", "/results")
"""How the names of the cases begin that ask for results: the page and the API."""


class NotThere(Exception):
    """Nobody has measured it."""


def measured(build: Path) -> bool:
    return (build / FILE).exists()


def measure(setup: Setup) -> Row:
    """`ratio_of_…`: p95 of all requests for results, whatever their filters, in the large archive over the small one.

    Raises:
        NotThere: the file is not there.
    """
    path = setup.build / FILE
    if not path.exists():
        raise NotThere(f"run `python -m benchmarks.history --json {path}` first, it takes a while")
    cases = [Figure(**case) for case in json.loads(path.read_text(encoding="utf-8"))]
    row = Row()
    for database in dict.fromkeys(case.database for case in cases):
        of_results = [case for case in cases if case.database == database and case.case.startswith(RESULTS)]
        small_p95_ms = p95([time_ms for case in of_results for time_ms in case.small_ms])
        large_p95_ms = p95([time_ms for case in of_results for time_ms in case.large_ms])
        row.add(f"ratio_of_{database}", large_p95_ms / small_p95_ms)
        row.add(f"{database}_small_p95_ms", small_p95_ms)
        row.add(f"{database}_large_p95_ms", large_p95_ms)
        worst = max((case for case in cases if case.database == database), key=lambda case: case.ratio)
        row.facts[f"{database}, worst case"] = f"{worst.case}: {worst.ratio:.1f} times"
        row.facts[f"{database}, cases"] = f"{len(of_results)} of results, {len(cases)} in all on both databases"
    return row
