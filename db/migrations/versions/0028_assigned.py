"""The history narrowed to a reader's images, read from an index"""

from __future__ import annotations

from db.migrations import online

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


NAME = "ix_images_assigned"


def upgrade() -> None:
    online.create_index(NAME, "images", ["assignee_id", "created_at", "id"], where="assignee_id IS NOT NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
