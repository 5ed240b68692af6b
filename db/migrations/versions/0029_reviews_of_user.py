"""From a user to the predictions that they reviewed"""

from __future__ import annotations

from db.migrations import online

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


NAME = "ix_reviews_user_id_prediction_id"


def upgrade() -> None:
    online.create_index(NAME, "reviews", ["user_id", "prediction_id"])


def downgrade() -> None:
    online.drop_index(NAME, "reviews")
