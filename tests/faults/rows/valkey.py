"""Valkey killed, restarted, emptied, silent, or hanging up."""

from __future__ import annotations

from tests.faults.matrix import Row, Run


def kill(run: Run) -> None:
    run.stack.valkey.kill()
    run.stack.valkey.start()


def restart(run: Run) -> None:
    run.stack.valkey.stop()
    run.stack.valkey.start()


def away(run: Run) -> None:
    run.stack.valkey.stop()
    run.pause()


def pause(run: Run) -> None:
    run.stack.valkey.pause()
    run.pause()


def empty(run: Run) -> None:
    run.stack.broker.flushall()


def cut(run: Run) -> None:
    run.stack.broker.client_kill_filter(_type="normal", skipme=True)


ROWS = [
    Row("kill -9 Valkey", "under load", inject=kill),
    Row("Valkey restarted", "under load", inject=restart, short_on="postgresql"),
    Row("Valkey away for a while", "under load", inject=away, restore=lambda run: run.stack.valkey.start()),
    Row("FLUSHALL", "under load", inject=empty, short_on="postgresql"),
    Row("Valkey paused (SIGSTOP)", "under load", inject=pause, restore=lambda run: run.stack.valkey.resume()),
    Row("connections to Valkey cut", "under load", inject=cut, short_on="postgresql"),
]
