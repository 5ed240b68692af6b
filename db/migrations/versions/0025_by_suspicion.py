"""The worklist in the order of suspicion, read from an index that answers its filters"""

from __future__ import annotations

from db.migrations import online

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


NAME = "ix_images_by_suspicion"
COLUMNS = (
    *("suspicion_rank", "created_at", "id"),
    *("state", "decision", "view", "opinion", "model", "user_id", "job_id", "assignee_id"),
)


def upgrade() -> None:
    online.create_index(NAME, "images", COLUMNS)


def downgrade() -> None:
    online.drop_index(NAME, "images")
