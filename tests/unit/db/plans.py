"""How a database runs statements on images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from tests.unit.db.conftest import Desk


def plans(desk: Desk, action: Callable[[Session], None]) -> str:
    """How the database runs the statements of `action`."""
    with desk.database.begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))  # three rows are quicker read one by one
        return "\n".join(explain(session, *statement) for statement in recorded(session, action))


def recorded(session: Session, action: Callable[[Session], None]) -> list[tuple[str, Any]]:
    """The statements on images that `action` sends, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if "images" in statement:
            statements.append((statement, values))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    action(session)
    event.remove(connection, "before_cursor_execute", note)
    return statements


def explain(session: Session, statement: str, values: Any) -> str:
    prefix = "EXPLAIN QUERY PLAN" if session.get_bind().dialect.name == "sqlite" else "EXPLAIN"
    return str(session.connection().exec_driver_sql(f"{prefix} {statement}", values).all())
