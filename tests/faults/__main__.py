"""`make faults`: the fault matrix, as often as asked, as a table.

python -m tests.faults --runs 20                     every row on both databases
python -m tests.faults --rows valkey --seed 7        the rows whose name has this in it
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults import profile, stack
from tests.faults.matrix import DATABASES, Row, run_row
from tests.faults.report import Outcome, as_table, summarize
from tests.faults.rows import ROWS
from tests.faults.stack import Kind, Stack


@dataclass(frozen=True, slots=True)
class Task:
    row: Row
    database: str
    seed: int


class Runner(threading.Thread):
    """Takes runs from the common queue; keeps one stack of each kind running and replaces one that a run has hurt."""

    def __init__(self, tasks: deque[Task], outcomes: list[Outcome], kind: Kind, deadline_s: float) -> None:
        super().__init__(name="runner")
        self._tasks = tasks
        self._outcomes = outcomes
        self._kind = kind
        self._deadline_s = deadline_s
        self._stacks: dict[Kind, tuple[Stack, ExitStack]] = {}

    def run(self) -> None:
        try:
            while time.monotonic() < self._deadline_s:
                try:
                    task = self._tasks.popleft()
                except IndexError:
                    return
                self._run(task)
        finally:
            for kind in list(self._stacks):
                self._drop(kind)

    def _run(self, task: Task) -> None:
        kind = replace(self._kind, database=task.database, shifted_clock=task.row.shifted_clock)
        outcome = Outcome(task.row.fault, task.row.moment, task.database, task.seed)
        try:
            outcome.verdict = run_row(task.row, self._stack(kind), task.seed)
            self._stack(kind).settle()
        except Exception as error:
            outcome.verdict.problems.append(f"{type(error).__name__}: {error}")
        if outcome.verdict.problems:
            self._drop(kind, keep_logs=True)
        self._outcomes.append(outcome)
        print(outcome.line(), flush=True)

    def _stack(self, kind: Kind) -> Stack:
        if kind not in self._stacks:
            exits = ExitStack()
            self._stacks[kind] = exits.enter_context(stack.running(kind)), exits
        return self._stacks[kind][0]

    def _drop(self, kind: Kind, *, keep_logs: bool = False) -> None:
        if kind in self._stacks:
            its_stack, exits = self._stacks.pop(kind)
            if keep_logs:
                print("\n".join(its_stack.logs().splitlines()[-40:]), file=sys.stderr)
            exits.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1, help="runs of each row on each database (default: 1)")
    parser.add_argument("--rows", default="", metavar="TEXT", help="only the rows whose name has this in it")
    parser.add_argument("--database", choices=DATABASES, help="default: both")
    parser.add_argument("--seed", type=int, default=None, help="repeats a pass; printed at its start")
    parser.add_argument("--short", action="store_true", help="short leases and pauses, as in the tests")
    parser.add_argument("--real-model", action="store_true", help="the shipped network instead of a fake one")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, each on a service of its own (default: 1)")
    parser.add_argument("--minutes", type=float, default=1e6, help="start no run after this time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the table as JSON")
    asked = parser.parse_args(arguments)

    rows = [row for row in ROWS if asked.rows.lower() in row.name.lower()]
    databases = [asked.database] if asked.database else DATABASES
    seed = random.SystemRandom().getrandbits(32) if asked.seed is None else asked.seed
    rng = random.Random(seed)
    tasks = deque(
        Task(row, database, rng.getrandbits(32))
        for _ in range(asked.runs)
        for row in rows
        for database in databases
        if database in row.databases
    )
    print(f"seed {seed}: {len(tasks)} runs", flush=True)
    kind = Kind("", profile.SHORT if asked.short else profile.LONG, real_model=asked.real_model)
    outcomes: list[Outcome] = []
    deadline_s = time.monotonic() + asked.minutes * 60
    runners = [Runner(tasks, outcomes, kind, deadline_s) for _ in range(asked.jobs)]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: tasks.clear())  # the runs under way are finished, and tidied up after
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    lines = summarize(outcomes, [(row.fault, row.moment) for row in rows])
    print(as_table(lines))
    if asked.json:
        asked.json.write_text(
            json.dumps({"seed": seed, "profile": kind.profile.name, "runs": [o.as_dict() for o in outcomes]})
        )
    return 1 if any(outcome.verdict.problems for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
