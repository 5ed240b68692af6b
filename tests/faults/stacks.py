"""Running services by kind: started when first needed, shared by the runs, replaced after a run with problems."""

from __future__ import annotations

from contextlib import ExitStack

from tests.faults.matrix import Row, run_row
from tests.faults.report import Outcome
from tests.faults.stack import Kind, Stack, running

LOG_LINES = 60


class Stacks:
    """A context manager, which ends all services at its end."""

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
        except Exception as error:  # whatever it is, the run did not keep its promise
            outcome.verdict.problems.append(f"{type(error).__name__}: {error}")
        if outcome.verdict.problems:
            outcome.log = self._drop(kind)
        return outcome

    def _get(self, kind: Kind) -> Stack:
        if kind in self._running and self._running[kind][0].disk_is_half_full:
            self._drop(kind)
        if kind not in self._running:
            exits = ExitStack()
            self._running[kind] = exits.enter_context(running(kind)), exits
        return self._running[kind][0]

    def _drop(self, kind: Kind) -> str:
        """End a service; the last lines of its logs."""
        if kind not in self._running:
            return ""
        stack, exits = self._running.pop(kind)
        log = "\n".join(stack.tails(LOG_LINES))
        exits.close()
        return log
