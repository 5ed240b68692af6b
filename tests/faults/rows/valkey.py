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


ROWS = [
    Row("kill -9 Valkey", "under load", inject=kill),
    Row("Valkey restarted", "under load", inject=restart, short_on="postgresql"),
    Row("Valkey away for a while", "under load", inject=away, restore=lambda run: run.stack.valkey.start()),
    Row("FLUSHALL", "under load", inject=lambda run: run.stack.broker.flushall(), short_on="postgresql"),
    Row("Valkey paused (SIGSTOP)", "under load", inject=pause, restore=lambda run: run.stack.valkey.resume()),
    Row(
        "connections to Valkey cut",
        "under load",
        inject=lambda run: run.stack.broker.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
        short_on="postgresql",
    ),
]
