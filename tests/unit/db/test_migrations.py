"""The migrated schema is the one that the models describe, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import DateTime, bindparam, inspect, select, text
from sqlalchemy.exc import IntegrityError

from db import migrate, previews
from db.session import Database
from db.states import Decision, ImageState, ModelRole, Opinion, Priority, Role
from db.tables import Base, Image, Job, Prediction, Token, Worker, is_modelled
from tests.testing import factories

TABLES = set(Base.metadata.tables) | {"alembic_version"}


def tables(url: str) -> set[str]:
    database = Database(url)
    names = {name for name in inspect(database.engine).get_table_names() if is_modelled(name, "table", {})}
    database.dispose()
    return names


def is_comparable(item: Any, _name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Not a foreign key that came with an added column: SQLAlchemy reads of SQLite only those of a CREATE TABLE."""
    added = kind == "foreign_key_constraint" and [column.name for column in item.columns] == ["primary_prediction_id"]
    return not added


def test_the_migrations_lead_to_the_models(database: Database) -> None:
    options: dict[str, Any] = {"compare_type": True, "include_name": is_modelled}
    if database.engine.dialect.name == "sqlite":
        options["include_object"] = is_comparable
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_from_nothing_makes_every_table(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    assert tables(empty_database_url) == TABLES


def test_a_second_upgrade_changes_nothing(database: Database, database_url: str) -> None:
    with database.begin() as session:
        factories.user(session)
    migrate.upgrade(database_url)
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM users")).scalar_one() == 1


def test_a_downgrade_to_base_leaves_no_table_and_can_be_undone(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    migrate.downgrade(empty_database_url, "base")
    assert tables(empty_database_url) == {"alembic_version"}
    migrate.upgrade(empty_database_url)
    assert tables(empty_database_url) == TABLES


AT = bindparam("at", datetime(2026, 11, 23, tzinfo=UTC), DateTime(timezone=True))

ROWS_OF_0001 = (
    "INSERT INTO users (name, role, created_at) VALUES ('ada', 'admin', :at)",
    "INSERT INTO tokens (user_id, token_sha256, created_at) VALUES (1, 't', :at)",
    "INSERT INTO jobs (name, priority, user_id, created_at) VALUES ('ward 3', 'bulk', 1, :at)",
    "INSERT INTO images (job_id, filename, sha256, media_type, size_bytes, width_px, height_px, state, priority,"
    " attempt, created_at) VALUES (1, 'a.png', 'b', 'image/png', 1, 1, 1, 'done', 'bulk', 1, :at)",
    "INSERT INTO models (sha256, name, card, created_at) VALUES ('m', 'model', '{}', :at)",
    "INSERT INTO predictions (image_id, model_sha256, probability, threshold, decision, created_at)"
    " VALUES (1, 'm', 0.75, 0.5, 'pneumonia', :at)",
    "INSERT INTO workers (name, engine, model_sha256, started_at, seen_at, batches, images)"
    " VALUES ('w', 'cpu', 'm', :at, :at, 0, 0)",
)
"""As the first release writes them, and goes on writing them while the next one is rolled out."""


def test_rows_of_before_are_kept_and_the_release_of_before_can_go_on_writing(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, "0001")
    database = Database(empty_database_url)
    with database.begin() as session:
        for statement in ROWS_OF_0001:
            session.execute(text(statement).bindparams(AT))
    migrate.upgrade(empty_database_url)
    with database.begin() as session:
        session.execute(text(ROWS_OF_0001[2]).bindparams(AT))
        kept = session.scalars(select(Prediction)).one()
        assert (kept.probability, kept.decision) == (0.75, Decision.PNEUMONIA)
        assert (kept.ood_score, kept.ood_limit, kept.reason, kept.cam) == (None, None, None, None)
        assert [job.deleted_at for job in session.scalars(select(Job))] == [None, None]
        assert session.scalars(select(Token.scopes)).all() == [None]
        assert session.scalars(select(Image.crashes)).all() == [0]
        assert session.scalars(select(Worker.paused_reason)).all() == [None]
    migrate.downgrade(empty_database_url, "0001")
    with database.read() as session:
        assert session.execute(text("SELECT probability FROM predictions")).scalar_one() == 0.75
    database.dispose()


def test_predictions_of_before_have_no_notes_and_previews_hold_their_bytes(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, "0007")
    database = Database(empty_database_url)
    with database.begin() as session:
        for statement in ROWS_OF_0001:
            session.execute(text(statement).bindparams(AT))
    migrate.upgrade(empty_database_url)
    with database.begin() as session:
        kept = session.scalars(select(Prediction)).one()
        assert (kept.probability, kept.notes, kept.box) == (0.75, None, None)
        kept.notes, kept.box = "Small.", [9, 8, 1, 1, 8, 7]
        previews.keep(session, {"b": b"jpeg"}, datetime(2026, 11, 27, tzinfo=UTC))
        previews.keep(session, {"b": b"again"}, datetime(2026, 11, 27, tzinfo=UTC))
    with database.read() as session:
        assert previews.picture(session, "b") == b"jpeg"
        assert session.scalars(select(Prediction)).one().box == [9, 8, 1, 1, 8, 7]
    migrate.downgrade(empty_database_url, "0007")
    with database.read() as session:
        assert session.execute(text("SELECT probability FROM predictions")).scalar_one() == 0.75
    database.dispose()


def test_upgrades_at_the_same_time_wait_for_each_other(empty_database_url: str) -> None:
    together = threading.Barrier(4)
    errors: list[Exception] = []

    def upgrade() -> None:
        together.wait()
        try:
            migrate.upgrade(empty_database_url)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert tables(empty_database_url) == TABLES


def test_the_revision_of_a_database_is_told(empty_database_url: str) -> None:
    before, newest = migrate.current(empty_database_url)
    migrate.upgrade(empty_database_url)
    assert before is None
    assert migrate.current(empty_database_url) == (newest, newest)


COLUMNS: list[tuple[str, str, type[StrEnum]]] = [
    ("images", "state", ImageState),
    ("images", "priority", Priority),
    ("jobs", "priority", Priority),
    ("users", "role", Role),
    ("predictions", "decision", Decision),
    ("reviews", "opinion", Opinion),
    ("deployments", "role", ModelRole),
]


@pytest.mark.parametrize(("table", "column", "kind"), COLUMNS)
def test_a_check_constraint_holds_exactly_the_words_of_its_enum(
    database: Database, table: str, column: str, kind: type[StrEnum]
) -> None:
    name = f"ck_{table}_{kind.__name__.lower()}"
    checks = {str(check["name"]): check["sqltext"] for check in inspect(database.engine).get_check_constraints(table)}
    words = {word for word in checks[name].split("'")[1::2] if word != "character varying"}
    assert column in checks[name]
    assert words == set(kind)


def test_a_word_that_is_no_state_is_refused_by_the_database(database: Database) -> None:
    with database.begin() as session:
        factories.images(session, factories.job(session, factories.user(session)), 1)
    with pytest.raises(IntegrityError), database.begin() as session:
        session.execute(text("UPDATE images SET state = 'lost'"))
    with database.read() as session:
        assert session.execute(text("SELECT state FROM images")).scalar_one() == "queued"


def test_databases_migrated_by_threads_of_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in "abcd"]
    with ThreadPoolExecutor(len(urls)) as pool:
        list(pool.map(migrate.upgrade, urls))
    for url in urls:
        at, newest = migrate.current(url)
        assert at == newest
