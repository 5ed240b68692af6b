"""Whose an image is, beside its state, so that a claim can be fair; and an index of the doorbells still to ring"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

QUEUED = sa.text("state = 'queued'")
UNPUBLISHED = sa.text("state = 'queued' AND published_at IS NULL")


def upgrade() -> None:
    # Nullable: the release of before goes on writing rows without it beside this schema. They are claimed all the same.
    op.add_column("images", sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    op.execute("UPDATE images SET user_id = (SELECT user_id FROM jobs WHERE jobs.id = images.job_id)")
    op.create_index(
        "ix_images_queued_of_user",
        "images",
        ["user_id", "priority", "id"],
        unique=False,
        sqlite_where=QUEUED,
        postgresql_where=QUEUED,
    )
    op.create_index(
        "ix_images_unpublished",
        "images",
        ["priority", "id"],
        unique=False,
        sqlite_where=UNPUBLISHED,
        postgresql_where=UNPUBLISHED,
    )


def downgrade() -> None:
    op.drop_index("ix_images_unpublished", table_name="images", sqlite_where=UNPUBLISHED, postgresql_where=UNPUBLISHED)
    op.drop_index("ix_images_queued_of_user", table_name="images", sqlite_where=QUEUED, postgresql_where=QUEUED)
    op.drop_column("images", "user_id")
