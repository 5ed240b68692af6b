"""What the two databases are told differently."""

from __future__ import annotations

import pytest
from sqlalchemy import create_mock_engine, select
from sqlalchemy.dialects import postgresql, sqlite

from db import dialect
from db.states import ImageState
from db.tables import Image, state_is, state_is_unindexed


@pytest.mark.parametrize(("name", "hint"), [("sqlite", "+"), ("postgresql+psycopg", "")])
def test_sqlite_is_told_which_condition_no_index_answers(name: str, hint: str) -> None:
    queried = select(Image.id).where(state_is_unindexed(ImageState.QUEUED))
    sql = str(queried.compile(dialect=create_mock_engine(f"{name}://", print).dialect))
    assert f"WHERE {hint}images.state = " in sql


def test_the_word_of_a_state_stands_in_the_sql_where_partial_indexes_see_it() -> None:
    queried = select(Image.id).where(state_is(ImageState.QUEUED))
    options = {"render_postcompile": True}
    assert "images.state = 'queued'" in str(queried.compile(dialect=sqlite.dialect(), compile_kwargs=options))


def test_rows_that_another_claims_are_passed_over_on_postgresql_alone() -> None:
    picked = dialect.skip_locked(select(Image.id))
    assert str(picked.compile(dialect=postgresql.dialect())).endswith("FOR UPDATE SKIP LOCKED")  # type: ignore[no-untyped-call]
    assert "FOR UPDATE" not in str(picked.compile(dialect=sqlite.dialect()))
