"""PostgreSQL restarted, crashed, silent, hanging up, out of reach, or slow to write."""

from __future__ import annotations

import time

from sqlalchemy import text

from tests.faults.matrix import Row, Run
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
    """Nothing passes between the service and the server, and nobody is told."""
    assert run.stack.link is not None
    run.stack.link.freeze()
    run.pause()


def let_pass(run: Run) -> None:
    assert run.stack.link is not None
    run.stack.link.thaw()


SLOW_STAMP = """
CREATE FUNCTION slow_stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({s}); RETURN NEW; END';
CREATE TRIGGER slow_stamp BEFORE UPDATE OF published_at ON images FOR EACH ROW EXECUTE FUNCTION slow_stamp()
"""


def slow_stamp(run: Run) -> None:
    """Whatever writes `published_at` holds its rows for long."""
    with run.stack.database.begin() as session:
        session.execute(text(SLOW_STAMP.format(s=STAMP_S)))
    time.sleep(run.profile.spread_s)


def quick_stamp(run: Run) -> None:
    with run.stack.database.begin() as session:
        session.execute(text("DROP TRIGGER slow_stamp ON images; DROP FUNCTION slow_stamp"))


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
    Row("stamp of a published image is slow", "under load", inject=slow_stamp, restore=quick_stamp, databases=ONLY),
]
