"""What SQLite and PostgreSQL say differently, in one place: upserts, locks, and hints about indexes.

How each of them finds a part of a file name stands in `db/listing`, how each is connected to in `db/session.py`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, literal, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Value = TypeVar("Value")
Rows = TypeVar("Rows", bound=Select[Any])


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def insert(session: Session, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An `INSERT` that can say `ON CONFLICT`, for which SQLAlchemy has a class of its own for each database."""
    return sqlite.insert(table) if is_sqlite(session) else postgresql.insert(table)


def skip_locked(query: Rows) -> Rows:
    """Lock the rows of `query`, and pass over those that another transaction has locked instead of waiting for them.

    It changes nothing on SQLite, where a write transaction has the only write lock from its start.
    """
    return query.with_for_update(skip_locked=True)


class Lock(IntEnum):
    """What advisory locks of PostgreSQL protect. The numbers are arbitrary, but nothing else may use them."""

    BLOBS = 0x626C6F6273
    DEPLOYMENTS = 0x6D6F64656C73
    MIGRATIONS = 0x706E65756D6F


def lock(connection: Connection, what: Lock, *, shared: bool = False) -> None:
    """Hold a lock until this write transaction ends, alone or with others that share it.

    It does nothing on SQLite, where a write transaction has the only write lock from its start.
    """
    if connection.dialect.name == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(text(f"SELECT {function}(:key)"), {"key": what.value})  # one of these two words


def try_lock_connection(connection: Connection, what: Lock) -> bool:
    """Take a lock of PostgreSQL for as long as the connection lasts; False if another connection holds it."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": what.value}).scalar_one())


def inline(value: Value, attribute: InstrumentedAttribute[Any]) -> BindParameter[Value]:
    """`value` itself in the SQL: a partial index answers no parameter, and PostgreSQL's statistics know none."""
    return literal(value, attribute.type, literal_execute=True)


def unindexed(attribute: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A column in a condition that SQLite is to check row by row.

    SQLite keeps no statistics here and takes the index of the wrong condition: it would walk a million `done` images to
    find the few that have one of ten ids. PostgreSQL counts, and chooses for itself.
    """
    return _Unindexed(attribute)


class _Unindexed(FunctionElement[Any]):
    inherit_cache = True


@compiles(_Unindexed)
def _plain(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Unindexed, "sqlite")
def _with_plus(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite's own hint (The SQLite Query Optimizer Overview, 8.1, "Disqualifying WHERE Clause Terms")."""
    return f"+{compiler.process(element.clauses, **options)}"
