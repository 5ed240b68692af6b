"""What the worklist sorts and filters finished images by is filled in"""

from __future__ import annotations

from db.migrations import online

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_primary = "FROM predictions WHERE predictions.id = images.primary_prediction_id"
    some = (
        "SELECT id FROM images WHERE state = 'done' AND model IS NULL AND primary_prediction_id IS NOT NULL "
        "ORDER BY id LIMIT :limit"
    )
    online.update_in_batches(
        f"UPDATE images SET suspicion_rank = (SELECT CASE decision WHEN 'refused' THEN 1 ELSE -probability END "  # noqa: S608
        f"{of_primary}), model = (SELECT substr(model_sha256, 1, 12) {of_primary}), "
        "opinion = (SELECT opinion FROM reviews WHERE prediction_id = images.primary_prediction_id "
        f"ORDER BY id DESC LIMIT 1) WHERE id IN ({some})"
    )


def downgrade() -> None:
    """Nothing to do: the columns go with their own revision."""
