"""Images that are done and name no primary prediction: a worker of the release before finished them"""

from __future__ import annotations

from db.migrations import online

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


NAME = "ix_images_without_primary"


def upgrade() -> None:
    online.create_index(NAME, "images", ["id"], where="state = 'done' AND primary_prediction_id IS NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
