"""How often a worker died with an image in hand, so that the next one tries it alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SUSPECTED = sa.text("state = 'queued' AND crashes > 0")


def upgrade() -> None:
    # With a default, so that the release of before can go on writing beside this schema.
    op.add_column("images", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_images_suspected",
        "images",
        ["priority", "crashes", "id"],
        unique=False,
        sqlite_where=SUSPECTED,
        postgresql_where=SUSPECTED,
    )


def downgrade() -> None:
    op.drop_index("ix_images_suspected", table_name="images", sqlite_where=SUSPECTED, postgresql_where=SUSPECTED)
    op.drop_column("images", "crashes")
