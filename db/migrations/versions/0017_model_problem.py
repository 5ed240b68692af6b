"""Why a worker does not run the model that it shall run"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("model_problem", sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "model_problem")
