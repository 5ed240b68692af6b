"""From a prediction to the image that names it, for the foreign key when jobs are erased"""

from __future__ import annotations

from db.migrations import online

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


NAME = "ix_images_primary_prediction_id"


def upgrade() -> None:
    online.create_index(NAME, "images", ["primary_prediction_id"], where="primary_prediction_id IS NOT NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
