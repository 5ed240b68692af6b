"""The history narrowed to what was reviewed, read from an index"""

from __future__ import annotations

from db.migrations import online

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


NAME = "ix_images_reviewed"


def upgrade() -> None:
    online.create_index(NAME, "images", ["created_at", "id", "opinion"], where="opinion IS NOT NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
