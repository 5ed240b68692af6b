"""What the two databases are told differently."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, create_mock_engine, select

from db import dialect
from db.states import ImageState
from db.tables import Image, state_is, state_is_unindexed

SQLITE, POSTGRESQL = "sqlite://", "postgresql+psycopg://"


def sql(query: Select[Any], url: str) -> str:
    compiled = query.compile(
        dialect=create_mock_engine(url, print).dialect, compile_kwargs={"render_postcompile": True}
    )
    return " ".join(str(compiled).split())


@pytest.mark.parametrize(("url", "hint"), [(SQLITE, "+"), (POSTGRESQL, "")])
def test_sqlite_alone_is_told_which_condition_no_index_answers(url: str, hint: str) -> None:
    assert f"WHERE {hint}images.state = 'queued'" in sql(
        select(Image.id).where(state_is_unindexed(ImageState.QUEUED)), url
    )


@pytest.mark.parametrize("url", [SQLITE, POSTGRESQL])
def test_the_word_of_a_state_stands_in_the_sql_where_partial_indexes_see_it(url: str) -> None:
    assert "WHERE images.state = 'queued'" in sql(select(Image.id).where(state_is(ImageState.QUEUED)), url)


@pytest.mark.parametrize(("url", "locks"), [(SQLITE, False), (POSTGRESQL, True)])
def test_rows_that_another_claims_are_passed_over_where_rows_have_locks(url: str, locks: bool) -> None:
    assert sql(dialect.skip_locked(select(Image.id)), url).endswith("FOR UPDATE SKIP LOCKED") is locks
