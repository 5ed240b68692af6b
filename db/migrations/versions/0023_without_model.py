"""Images that are done and lack what lists show: a worker of the release before finished them"""

from __future__ import annotations

from db.migrations import online

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


NAME = "ix_images_without_model"


def upgrade() -> None:
    online.create_index(NAME, "images", ["id"], where="state = 'done' AND model IS NULL")


def downgrade() -> None:
    online.drop_index(NAME, "images")
