"""What a revision does beside people who work: make an index and fill a column without keeping them out for long.

On PostgreSQL both leave the revision's transaction. So each has to be the only thing that its revision does, and to do
no harm when it is run again after it was cut off. SQLite has one writer: there they are a part of the one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

BATCH = 5_000
"""Rows changed in one transaction: some tenths of a second."""


def create_index(name: str, table: str, columns: Sequence[str], *, where: str | None = None) -> None:
    """Make an index of the rows that meet the condition `where`, concurrently on PostgreSQL.

    One that was cut off stays as an index that nobody uses: it is dropped first.
    """
    condition = None if where is None else sa.text(where)
    with _beside_others():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name,
            table,
            list(columns),
            sqlite_where=condition,
            postgresql_where=condition,
            postgresql_concurrently=True,
        )


def drop_index(name: str, table: str) -> None:
    """Drop an index, concurrently on PostgreSQL."""
    with _beside_others():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)


def update_in_batches(statement: str) -> None:
    """Run an UPDATE until it changes no row.

    `statement` changes at most `:limit` rows, and leaves none of them as one that it would change again.
    """
    with _beside_others():
        while op.get_bind().execute(sa.text(statement), {"limit": BATCH}).rowcount:
            pass


@contextmanager
def _beside_others() -> Iterator[None]:
    """Each statement of the block is a transaction of its own on PostgreSQL."""
    if op.get_bind().dialect.name == "sqlite":
        yield
    else:
        with op.get_context().autocommit_block():
            yield
