"""A database goes through every revision in turn, with rows that the release of each revision wrote."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import migrate, outcomes
from db.dialect import Lock
from db.listing import images
from db.listing.filters import Filters
from db.session import Database
from db.states import Decision
from db.tables import UNJUDGED, Image
from tests.testing.postgres import PostgresServer
from tests.unit.db.conftest import Desk

AT = bindparam("at", datetime(2026, 11, 23, tzinfo=UTC), DateTime(timezone=True))
REVISIONS = [script.revision for script in ScriptDirectory(str(migrate.MIGRATIONS)).walk_revisions()][::-1]

FIRST_ROWS = (
    "INSERT INTO users (name, role, created_at) VALUES ('ada', 'admin', :at)",
    "INSERT INTO jobs (name, priority, user_id, created_at) VALUES ('ward 3', 'bulk', 1, :at)",
    "INSERT INTO models (sha256, name, card, created_at) VALUES ('m', 'model', '{}', :at)",
    "INSERT INTO models (sha256, name, card, created_at) VALUES ('n', 'newer model', '{}', :at)",
)
IMAGE = (
    "INSERT INTO images (job_id, filename, sha256, media_type, size_bytes, width_px, height_px, state, priority,"
    " attempt, created_at, finished_at)"
    " VALUES (1, :name, :name, 'image/png', 1, 1, 1, 'done', 'bulk', 1, :at, :at)"
)
PREDICTION = (
    "INSERT INTO predictions (image_id, model_sha256, probability, threshold, decision, created_at)"
    " SELECT id, :model, 0.75, 0.5, 'pneumonia', :at FROM images WHERE filename = :name"
)

REVIEW = "INSERT INTO reviews (prediction_id, user_id, opinion, note, created_at) VALUES (2, 1, :opinion, '', :at)"


def write_image(session: Session, name: str) -> None:
    """An image that two models have screened, one after the other."""
    session.execute(text(IMAGE).bindparams(AT), {"name": name})
    for model in ("m", "n"):
        session.execute(text(PREDICTION).bindparams(AT), {"name": name, "model": model})


def test_rows_of_every_revision_reach_the_newest(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    for revision in REVISIONS:
        migrate.upgrade(empty_database_url, revision)
        with database.begin() as session:
            if revision == REVISIONS[0]:
                for statement in FIRST_ROWS:
                    session.execute(text(statement).bindparams(AT))
            write_image(session, f"of-{revision}.png")
    with database.begin() as session:
        outcomes.name_primary_predictions(session)  # as the sweeper does, for those of the release before
    with database.read() as session:
        rows = images.page(session, Filters(), limit=100).items
        assert {image.filename for image in rows} == {f"of-{revision}.png" for revision in REVISIONS}
        for image in rows:
            assert image.primary_prediction is not None
            assert image.primary_prediction.model.name == "newer model"
            assert image.primary_prediction.decision is Decision.PNEUMONIA
    database.dispose()


def test_a_backfill_goes_in_batches_and_ends(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.migrations.online.BATCH", 2)
    migrate.upgrade(empty_database_url, "0014")
    database = Database(empty_database_url)
    with database.begin() as session:
        for statement in FIRST_ROWS:
            session.execute(text(statement).bindparams(AT))
        for number in range(5):
            write_image(session, f"{number}.png")
        session.execute(text(IMAGE).bindparams(AT), {"name": "without a prediction.png"})
    migrate.upgrade(empty_database_url)
    with database.read() as session:
        assert session.scalars(select(Image.primary_prediction_id).order_by(Image.id)).all() == [2, 4, 6, 8, 10, None]
    database.dispose()


def test_finished_images_get_their_place_in_the_worklist(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.migrations.online.BATCH", 2)
    migrate.upgrade(empty_database_url, "0019")
    database = Database(empty_database_url)
    with database.begin() as session:
        for statement in FIRST_ROWS:
            session.execute(text(statement).bindparams(AT))
        for number in range(5):
            write_image(session, f"{number}.png")
        session.execute(text("UPDATE images SET primary_prediction_id = 2 * id WHERE id < 5"))
        session.execute(text("UPDATE predictions SET decision = 'refused' WHERE image_id = 2"))
        for opinion in ("agree", "unsure"):
            session.execute(text(REVIEW).bindparams(AT), {"opinion": opinion})
    migrate.upgrade(empty_database_url)
    with database.read() as session:
        rows = session.execute(select(Image.suspicion_rank, Image.model, Image.opinion).order_by(Image.id)).all()
    judged = (-0.75, "n", None)
    assert rows == [(-0.75, "n", "unsure"), (UNJUDGED, "n", None), judged, judged, (UNJUDGED, None, None)]
    database.dispose()


def test_an_index_whose_making_was_cut_off_is_made_again(empty_database_url: str) -> None:
    """PostgreSQL leaves it behind, of the same name and of no use; here one that lacks the rows stands for it."""
    migrate.upgrade(empty_database_url, "0013")
    database = Database(empty_database_url)
    with database.begin() as session:
        session.execute(text("CREATE INDEX ix_images_without_primary ON images (id) WHERE id < 0"))
    migrate.upgrade(empty_database_url)
    with database.read() as session:
        catalogue = "sqlite_master" if database.engine.dialect.name == "sqlite" else "pg_indexes"
        column, name = ("sql", "name") if catalogue == "sqlite_master" else ("indexdef", "indexname")
        query = f"SELECT {column} FROM {catalogue} WHERE {name} = 'ix_images_without_primary'"
        assert "primary_prediction_id IS NULL" in session.execute(text(query)).scalar_one()
    database.dispose()


def test_the_primary_prediction_has_to_exist(desk: Desk) -> None:
    desk.job(1)
    with pytest.raises(IntegrityError), desk.database.begin() as session:
        session.execute(text("UPDATE images SET primary_prediction_id = 77"))


def test_the_release_before_erases_predictions_before_the_images_that_name_them(desk: Desk) -> None:
    desk.job(2)
    desk.finish(desk.claim())
    with desk.database.begin() as session:
        session.execute(text("DELETE FROM predictions"))
        session.execute(text("DELETE FROM images"))
    with desk.database.read() as session:
        assert session.scalars(select(Image.id)).all() == []


def test_what_a_worker_of_the_release_before_finishes_is_named_by_the_sweeper(desk: Desk) -> None:
    desk.job(3)
    desk.finish(desk.claim())
    with desk.database.begin() as session:
        session.execute(text("UPDATE images SET primary_prediction_id = NULL"))
        assert outcomes.name_primary_predictions(session, limit=2) == 2
        assert outcomes.name_primary_predictions(session, limit=2) == 1
        assert outcomes.name_primary_predictions(session, limit=2) == 0
    assert all(image.primary_prediction_id for image in desk.images())


def test_whoever_waits_for_a_migration_holds_up_no_index_that_it_makes(
    postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that is made concurrently waits for all statements that began before: also for one that waits for us."""
    waits = threading.Event()
    sleep = time.sleep

    def wait(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr("db.migrate.time.sleep", wait)
    with postgresql.database() as url:
        migrate.upgrade(url, "0001")
        database = Database(url)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
            holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": Lock.MIGRATIONS.value})
            other_host = threading.Thread(target=migrate.upgrade, args=(url,))
            other_host.start()
            assert waits.wait(60)
            holder.execute(text("CREATE INDEX CONCURRENTLY made ON images (id)"))
            holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": Lock.MIGRATIONS.value})
        other_host.join(120)
        assert migrate.current(url)[0] == REVISIONS[-1]
        database.dispose()
