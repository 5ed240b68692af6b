"""Running services by kind: started when first asked for, shared by the runs, replaced when one is hurt."""

from __future__ import annotations

from contextlib import ExitStack

from tests.faults.matrix import Row, run_row
from tests.faults.report import Outcome
from tests.faults.stack import Kind, Stack, running

LOG_LINES = 60


class Stacks:
    """Use as a context; at its end all of them are gone."""

    def __init__(self) -> None:
        self._running: dict[Kind, tuple[Stack, ExitStack]] = {}

    def __enter__(self) -> Stacks:
        return self

    def __exit__(self, *_: object) -> None:
        for kind in list(self._running):
            self._drop(kind)

    def run(self, row: Row, kind: Kind, seed: int) -> Outcome:
        """One run, with whatever went wrong as its problems; the service is whole again afterwards."""
        outcome = Outcome(row.fault, row.moment, kind.database, seed)
        try:
            stack = self._get(kind)
            outcome.verdict = run_row(row, stack, seed)
            stack.settle()
        except Exception as error:  # of whatever kind: the run did not hold what it promises
            outcome.verdict.problems.append(f"{type(error).__name__}: {error}")
        if outcome.verdict.problems:
            outcome.log = self._drop(kind)
        return outcome

    def _get(self, kind: Kind) -> Stack:
        if kind in self._running and self._running[kind][0].worn:
            self._drop(kind)
        if kind not in self._running:
            exits = ExitStack()
            self._running[kind] = exits.enter_context(running(kind)), exits
        return self._running[kind][0]

    def _drop(self, kind: Kind) -> str:
        """End this one; the ends of its logs."""
        if kind not in self._running:
            return ""
        stack, exits = self._running.pop(kind)
        log = "\n".join(stack.tails(LOG_LINES))
        exits.close()
        return log
