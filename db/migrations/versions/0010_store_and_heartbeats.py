"""Which blob store belongs to this database, when the sweeper was last at work, and why a worker claims nothing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob_stores",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blob_stores")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    # Workers of the release before leave it empty: they claim whatever is queued.
    op.add_column("workers", sa.Column("paused_reason", sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "paused_reason")
    op.drop_table("heartbeats")
    op.drop_table("blob_stores")
