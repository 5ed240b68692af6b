"""An image has the last opinion on its primary prediction, whichever release saves the review"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


NAME = "keep_last_opinion"
UPDATE = "UPDATE images SET opinion = new.opinion WHERE primary_prediction_id = new.prediction_id"
SQLITE = (f"CREATE TRIGGER {NAME} AFTER INSERT ON reviews BEGIN {UPDATE}; END",)
POSTGRESQL = (
    f"CREATE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {UPDATE}; RETURN NULL; END $$",
    f"CREATE TRIGGER {NAME} AFTER INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION {NAME}()",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {NAME}")
    else:
        op.execute(f"DROP TRIGGER {NAME} ON reviews")
        op.execute(f"DROP FUNCTION {NAME}()")
