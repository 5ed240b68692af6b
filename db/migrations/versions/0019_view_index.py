"""The history narrowed to a view, read from an index"""

from __future__ import annotations

from db.migrations import online

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


NAME = "ix_images_viewed"


def upgrade() -> None:
    online.create_index(NAME, "images", ["view", "created_at", "id"], where="view IS NOT NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
