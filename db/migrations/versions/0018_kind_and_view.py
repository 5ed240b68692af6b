"""What an image shows, as the model's gate tells it, and how it was taken"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Workers of the release before leave them empty, as a model without a gate does.
    op.add_column("predictions", sa.Column("kind", sa.String(length=16), nullable=True))
    op.add_column("predictions", sa.Column("view", sa.String(length=16), nullable=True))
    op.add_column("images", sa.Column("view", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("images", "view")
    op.drop_column("predictions", "view")
    op.drop_column("predictions", "kind")
