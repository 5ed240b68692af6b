"""An image names its primary prediction"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


FOREIGN_KEY = "fk_images_primary_prediction_id_predictions"


def upgrade() -> None:
    # Checked at the commit: the release before deletes the predictions of a job first, and then its images.
    reference = f"CONSTRAINT {FOREIGN_KEY} REFERENCES predictions (id) DEFERRABLE INITIALLY DEFERRED"
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE images ADD COLUMN primary_prediction_id {kind} {reference}")


def downgrade() -> None:
    op.execute("ALTER TABLE images DROP COLUMN primary_prediction_id")
