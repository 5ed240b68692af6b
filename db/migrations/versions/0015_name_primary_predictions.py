"""The newest prediction of each image becomes its primary one"""

from __future__ import annotations

from db.migrations import online

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    newest = "(SELECT max(id) FROM predictions WHERE image_id = images.id)"
    nameless = (
        "SELECT id FROM images WHERE state = 'done' AND primary_prediction_id IS NULL "
        "AND EXISTS (SELECT 1 FROM predictions WHERE image_id = images.id) ORDER BY id LIMIT :limit"
    )
    statement = f"UPDATE images SET primary_prediction_id = {newest} WHERE id IN ({nameless})"  # noqa: S608  # fixed words
    online.update_in_batches(statement)


def downgrade() -> None:
    """Nothing to do: the column goes with its own revision."""
