"""What the worklist sorts and filters images by, and who shall read them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Workers of the release before leave them as they are; the sweeper fills them in.
    op.add_column("images", sa.Column("suspicion_rank", sa.Float(), server_default="1", nullable=False))
    op.add_column("images", sa.Column("model", sa.String(length=12), nullable=True))
    op.add_column("images", sa.Column("opinion", sa.String(length=16), nullable=True))
    user_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("images", sa.Column("assignee_id", user_id, nullable=True))


def downgrade() -> None:
    for column in ("assignee_id", "opinion", "model", "suspicion_rank"):
        op.drop_column("images", column)
