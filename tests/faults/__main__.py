"""`make faults`: the fault matrix, as often as asked, as a table.

python -m tests.faults --runs 20                     every row, on SQLite and PostgreSQL in turn
python -m tests.faults --runs 20 --record runs.jsonl go on with a pass that was interrupted
python -m tests.faults --rows valkey --seed 7        the rows whose name has this in it, as in the pass of that seed
python -m tests.faults --soak 20                     uploads for 20 minutes while processes are killed
"""

from __future__ import annotations

import argparse
import functools
import random
import signal
import sys
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import profile, soak
from tests.faults.matrix import DATABASES, Row
from tests.faults.record import Record
from tests.faults.report import DOCUMENT, Outcome, as_table, caption, summarize
from tests.faults.rows import ROWS
from tests.faults.stack import Kind
from tests.faults.stacks import Stacks
from tests.testing.documents import write_into

MAX_SOAK_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Task:
    row: Row
    kind: Kind
    seed: int


def run_seed(seed: int, row: Row, database: str, number: int = 0) -> int:
    """The seed of one run, the same whatever other rows are in the pass."""
    return zlib.crc32(f"{seed}/{row.name}/{database}/{number}".encode())


def plan(asked: argparse.Namespace, rows: Sequence[Row], seed: int, past: Counter[str]) -> deque[Task]:
    """Every row once, then every row again, so that a pass cut short has as many runs of each.

    A row's databases take turns; `past` counts the runs of each row that a record already holds.
    """
    durations = profile.SHORT if asked.short else profile.LONG
    tasks: deque[Task] = deque()
    for number in range(asked.runs):
        for row in rows:
            databases = [name for name in row.databases if asked.database in (None, name)]
            if databases and number >= past[row.name]:
                database = databases[number % len(databases)]
                kind = Kind(database, durations, real_model=asked.real_model)
                tasks.append(Task(row, kind, run_seed(seed, row, database, number)))
    return tasks


def work(tasks: deque[Task], outcomes: list[Outcome], deadline_s: float, record: Record) -> None:
    """Take runs from the common queue until it is empty or it is late."""
    with Stacks() as stacks:
        while time.monotonic() < deadline_s:
            try:
                task = tasks.popleft()
            except IndexError:
                return
            outcome = stacks.run(task.row, task.kind, task.seed)
            outcomes.append(outcome)
            record.add(outcome)
            print(outcome.line(), flush=True)
            if outcome.log:
                print(outcome.log, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The fault matrix as a table.")
    parser.add_argument("--runs", type=int, default=1, help="runs of each row, its databases in turn (default: 1)")
    parser.add_argument("--rows", default="", metavar="TEXT", help="only the rows whose name has this in it")
    parser.add_argument("--database", choices=DATABASES, help="default: both")
    parser.add_argument("--seed", type=int, help="repeats a pass, whose seed is printed at its start")
    parser.add_argument("--short", action="store_true", help="short leases and pauses, as in `make test`")
    parser.add_argument("--real-model", action="store_true", help="the shipped network instead of a fake one")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, each on a service of its own (default: 1)")
    parser.add_argument("--minutes", type=float, default=1e6, help="start no run after this time")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="instead: uploads while processes are killed")
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="SECONDS", help="in a soak (default: 20)")
    parser.add_argument("--write", action="store_true", help="also put the table into docs/reliability.md")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="add a line of JSON a run; runs in it count as done"
    )
    asked = parser.parse_args(arguments)
    if asked.soak is not None and not 0 < asked.soak <= MAX_SOAK_MINUTES:
        parser.error(f"a soak takes more than 0 and at most {MAX_SOAK_MINUTES} minutes")
    if asked.kill_every < 1:
        parser.error("a process needs a second before the next one is killed")
    return asked


def soak_all(asked: argparse.Namespace, seed: int) -> int:
    """One soak on each database that was asked for: 0 if the invariant held on each, else 1."""
    durations = profile.SHORT if asked.short else profile.LONG
    print(f"seed {seed}", flush=True)
    held = True
    for database in DATABASES if asked.database is None else [asked.database]:
        kind = Kind(database, durations, real_model=asked.real_model, small_disk=False)
        say = functools.partial(print, flush=True)
        held &= soak.run(kind, asked.soak * 60, asked.kill_every, seed, say).invariant_held
    return 0 if held else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the invariant held in every run, else 1."""
    asked = parse(arguments)
    rows = [row for row in ROWS if asked.rows.lower() in row.name.lower()]
    seed = random.SystemRandom().getrandbits(32) if asked.seed is None else asked.seed
    if asked.soak is not None:
        return soak_all(asked, seed)
    record = Record(asked.record)
    outcomes = record.read()
    tasks = plan(asked, rows, seed, Counter(f"{outcome.fault}, {outcome.moment}" for outcome in outcomes))
    print(f"seed {seed}: {len(tasks)} runs", flush=True)
    deadline_s = time.monotonic() + asked.minutes * 60
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: tasks.clear())  # the runs under way are finished, and tidied up after
    runners = [threading.Thread(target=work, args=(tasks, outcomes, deadline_s, record)) for _ in range(asked.jobs)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    table = as_table(summarize(outcomes, [(row.fault, row.moment) for row in rows]))
    print(table)
    if asked.write:
        durations = profile.SHORT if asked.short else profile.LONG
        write_into(DOCUMENT, "table", f"{caption(outcomes, durations, real_model=asked.real_model)}\n\n{table}")
    return 1 if any(outcome.verdict.problems for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
