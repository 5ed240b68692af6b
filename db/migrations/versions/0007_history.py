"""Indexes that keep the history quick over a million images, by time, user, decision, rare state and part of a name"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


class Index(NamedTuple):
    name: str
    table: str
    columns: tuple[str, ...]
    where: str | None = None


NEW = (
    Index("ix_images_job_id_id", "images", ("job_id", "id")),
    Index("ix_images_created_at_id", "images", ("created_at", "id")),
    Index("ix_images_user_id_created_at_id", "images", ("user_id", "created_at", "id")),
    Index("ix_images_decided", "images", ("decision", "created_at", "id"), "decision IS NOT NULL"),
    Index("ix_images_waiting", "images", ("state", "created_at", "id"), "state = 'queued'"),
    Index("ix_images_failed", "images", ("state", "created_at", "id", "user_id"), "state = 'failed'"),
    Index("ix_images_cancelled", "images", ("state", "created_at", "id", "user_id"), "state = 'cancelled'"),
    Index("ix_images_running", "images", ("state", "lease_expires_at"), "state = 'running'"),
    Index("ix_images_finished", "images", ("state", "finished_at"), "finished_at IS NOT NULL"),
    Index("ix_images_progress", "images", ("job_id", "state", "decision", "id", "finished_at")),
)
OLD = (
    Index("ix_images_progress", "images", ("job_id", "state", "decision", "finished_at")),
    Index("ix_images_running", "images", ("lease_expires_at",), "state = 'running'"),
    Index("ix_images_state_finished_at", "images", ("state", "finished_at")),
    Index("ix_predictions_decision_image_id", "predictions", ("decision", "image_id")),
)

# Three-letter pieces of the file names, in a table of their own: as an index of `images` PostgreSQL would write them
# anew at every claim and every finish. Triggers keep it. On SQLite a batch operation of Alembic on `images` would lose
# them.
SQLITE_NAMES = (
    "CREATE VIRTUAL TABLE image_names USING fts5(filename, content='images', content_rowid='id', tokenize='trigram')",
    "CREATE TRIGGER image_names_insert AFTER INSERT ON images BEGIN "
    "INSERT INTO image_names(rowid, filename) VALUES (new.id, new.filename); END",
    "CREATE TRIGGER image_names_delete AFTER DELETE ON images BEGIN "
    "INSERT INTO image_names(image_names, rowid, filename) VALUES ('delete', old.id, old.filename); END",
    "CREATE TRIGGER image_names_update AFTER UPDATE OF filename ON images BEGIN "
    "INSERT INTO image_names(image_names, rowid, filename) VALUES ('delete', old.id, old.filename); "
    "INSERT INTO image_names(rowid, filename) VALUES (new.id, new.filename); END",
    "INSERT INTO image_names(image_names) VALUES ('rebuild')",
)
POSTGRESQL_NAMES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE TABLE image_names (image_id bigint CONSTRAINT pk_image_names PRIMARY KEY, filename varchar(512) NOT NULL)",
    "CREATE FUNCTION keep_image_names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP <> 'INSERT' THEN DELETE FROM image_names WHERE image_id = old.id; END IF; "
    "IF TG_OP <> 'DELETE' THEN INSERT INTO image_names VALUES (new.id, new.filename); END IF; "
    "RETURN NULL; END $$",
    # Before the rows are copied: it waits for the transactions under way and holds up the next.
    "CREATE TRIGGER image_names AFTER INSERT OR DELETE OR UPDATE OF filename ON images "
    "FOR EACH ROW EXECUTE FUNCTION keep_image_names()",
    "INSERT INTO image_names SELECT id, filename FROM images",
    "CREATE INDEX ix_image_names_filename ON image_names USING gin (filename gin_trgm_ops)",
)


def upgrade() -> None:
    # What the release before the one that added these columns wrote without them. Lists now trust them.
    newest = "(SELECT decision FROM predictions WHERE image_id = images.id ORDER BY id DESC LIMIT 1)"
    op.execute(f"UPDATE images SET decision = {newest} WHERE state = 'done' AND decision IS NULL")  # noqa: S608
    owner = "(SELECT user_id FROM jobs WHERE jobs.id = images.job_id)"
    op.execute(f"UPDATE images SET user_id = {owner} WHERE user_id IS NULL")  # noqa: S608
    _replace(OLD, NEW)
    for statement in SQLITE_NAMES if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_NAMES:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER image_names_{verb}")
    else:
        op.execute("DROP TRIGGER image_names ON images")
        op.execute("DROP FUNCTION keep_image_names()")  # the extension stays: it may have been there before
    op.execute("DROP TABLE image_names")
    _replace(NEW, OLD)


def _replace(old: tuple[Index, ...], new: tuple[Index, ...]) -> None:
    for index in old:
        op.drop_index(index.name, table_name=index.table)
    for index in new:
        where = None if index.where is None else sa.text(index.where)
        op.create_index(index.name, index.table, list(index.columns), sqlite_where=where, postgresql_where=where)
