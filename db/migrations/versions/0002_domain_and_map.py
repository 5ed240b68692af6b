"""What a prediction says of its own domain, and where in the image its evidence lies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# All nullable: rows of before know none of it, and the release of before can go on writing beside this schema.
COLUMNS = (
    ("domain_score", sa.Float()),
    ("domain_limit", sa.Float()),
    ("reason", sa.String(length=300)),
    ("cam", sa.LargeBinary(length=98)),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("predictions", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in reversed(COLUMNS):
        op.drop_column("predictions", name)
