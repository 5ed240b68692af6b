"""What all tables share: their base class, the types of columns, the names of constraints and indexes.

Times are UTC. Ids are never reused (AUTOINCREMENT on SQLite), so a late message cannot name a newer row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, Enum, Index, Integer, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.schema import MetaData
from sqlalchemy.types import TypeDecorator

from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db.states import Decision, ImageState, ModelRole, Opinion, Priority, Role

MAX_FILENAME = 512
"""Characters; at four bytes each it still fits PostgreSQL's limit for an indexed value."""

Id = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _enum(kind: type[StrEnum], *, checked: bool = True) -> Enum:
    """Stored as its value in a VARCHAR with a CHECK, so that adding a word is a plain migration.

    A column that a revision adds to a table that grows has no CHECK: PostgreSQL would lock and read the table for it.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=checked,
        length=16,
        name=kind.__name__.lower(),
        values_callable=lambda e: [member.value for member in e],
    )


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that meet the condition `where`, and no others."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own declaration
        datetime: UtcDateTime,
        ImageState: _enum(ImageState),
        Priority: _enum(Priority),
        Decision: _enum(Decision),
        ModelRole: _enum(ModelRole),
        Role: _enum(Role),
        Opinion: _enum(Opinion),
        ImageKind: _enum(ImageKind, checked=False),
        View: _enum(View, checked=False),
        Population: _enum(Population, checked=False),
        PopulationBy: _enum(PopulationBy, checked=False),
    }


def is_modelled(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether Alembic finds this part of the database here. The index of file names, different on each, is not here."""
    return name is None or not name.startswith("image_names")
