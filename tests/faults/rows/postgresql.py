"""PostgreSQL restarted, crashed, silent, or hanging up."""

from __future__ import annotations

from tests.faults.matrix import Row, Run
from tests.postgres import PostgresServer

ONLY = ("postgresql",)


def server(run: Run) -> PostgresServer:
    assert run.stack.postgresql is not None
    return run.stack.postgresql


def restart(run: Run) -> None:
    server(run).stop()
    server(run).start()


def crash(run: Run) -> None:
    server(run).crash()
    server(run).start()


def away(run: Run) -> None:
    server(run).stop()
    run.pause()


def pause(run: Run) -> None:
    server(run).pause()
    run.pause()


ROWS = [
    Row("PostgreSQL restarted", "under load", inject=restart, databases=ONLY),
    Row("PostgreSQL crashed (kill -9)", "under load", inject=crash, databases=ONLY),
    Row(
        "PostgreSQL away for a while",
        "under load",
        inject=away,
        restore=lambda run: server(run).start(),
        databases=ONLY,
    ),
    Row(
        "PostgreSQL paused (SIGSTOP)",
        "under load",
        inject=pause,
        restore=lambda run: server(run).resume(),
        databases=ONLY,
    ),
    Row(
        "connections to PostgreSQL cut",
        "under load",
        inject=lambda run: server(run).cut_connections(),
        databases=ONLY,
    ),
]
