"""Valkey killed, restarted, emptied, paused, full, or with its connections cut."""

from __future__ import annotations

from tests.faults.matrix import Row, Run
from tests.faults.rows.messages import same_workers
from tests.faults.verdict import wait_until_final


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


def fill(run: Run) -> None:
    """It refuses every message; images that are accepted meanwhile are screened before it has room again."""
    run.notes["pids"] = [worker.pid for worker in run.stack.workers]
    run.stack.broker.config_set("maxmemory", 1)
    run.pause()
    accepted = list(run.load.ledger.accepted.values())
    assert wait_until_final(run.stack, accepted, timeout_s=run.profile.patience_s) is not None, "images wait for Valkey"


def make_room(run: Run) -> None:
    run.stack.broker.config_set("maxmemory", 0)


ROWS = [
    Row("kill -9 Valkey", "under load", inject=kill),
    Row("Valkey restarted", "under load", inject=restart, short_on="postgresql"),
    Row("Valkey away for a while", "under load", inject=away, restore=lambda run: run.stack.valkey.start()),
    Row("FLUSHALL", "under load", inject=empty, short_on="postgresql"),
    Row("Valkey paused (SIGSTOP)", "under load", inject=pause, restore=lambda run: run.stack.valkey.resume()),
    Row(
        "Valkey refuses writes (maxmemory)",
        "under load",
        inject=fill,
        restore=make_room,
        check=same_workers,
        short_on="postgresql",
    ),
    Row("connections to Valkey cut", "under load", inject=cut, short_on="postgresql"),
]
