"""PostgreSQL restarted, crashed, paused, out of reach, slow to write, or with its connections cut."""

from __future__ import annotations

import time

from tests.faults.matrix import Row, Run
from tests.testing import slow_stamp
from tests.testing.postgres import PostgresServer

ONLY = ("postgresql",)

STAMP_S = 0.2


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


def drop_packets(run: Run) -> None:
    """Nothing passes between service and server, and no connection is closed."""
    assert run.stack.link is not None
    run.stack.link.freeze()
    run.pause()


def let_pass(run: Run) -> None:
    assert run.stack.link is not None
    run.stack.link.thaw()


def begin_slow_stamp(run: Run) -> None:
    slow_stamp.begin(run.stack.database, STAMP_S)
    time.sleep(run.profile.spread_s)


def end_slow_stamp(run: Run) -> None:
    slow_stamp.end(run.stack.database)


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
    Row("packets to PostgreSQL dropped", "under load", inject=drop_packets, restore=let_pass, databases=ONLY),
    Row(
        "stamp of a published image is slow",
        "under load",
        inject=begin_slow_stamp,
        restore=end_slow_stamp,
        databases=ONLY,
    ),
]
