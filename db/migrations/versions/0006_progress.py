"""The decision beside an image's state, and the one index that a job's progress is read from"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEWEST = "(SELECT decision FROM predictions WHERE image_id = images.id ORDER BY id DESC LIMIT 1)"


def upgrade() -> None:
    # Workers of the release before leave it empty; progress then counts the predictions of those images, slowly.
    op.add_column("images", sa.Column("decision", sa.String(length=16), nullable=True))
    op.execute(f"UPDATE images SET decision = {NEWEST} WHERE state = 'done'")  # noqa: S608  # no value from outside
    op.create_index("ix_images_progress", "images", ["job_id", "state", "decision", "finished_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_images_progress", table_name="images")
    op.drop_column("images", "decision")
