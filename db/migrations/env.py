"""Alembic's entry point: run by `db.migrate`, which passes the connection."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from db.tables import Base, UtcDateTime, is_modelled


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our time type as what it is in the database, so that no migration depends on today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    include_name=is_modelled,
    render_item=render_item,
    render_as_batch=True,  # SQLite cannot ALTER most things in place
    transactional_ddl=True,
    transaction_per_migration=True,  # where the caller holds no transaction around all of them
)
with context.begin_transaction():
    context.run_migrations()
