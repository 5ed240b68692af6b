"""What the network saw of an image: notes on it, the part that was judged, and a picture where browsers show another"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Workers of the release before leave both empty: the page then shows the upload itself, all of which was judged.
    op.add_column("predictions", sa.Column("notes", sa.String(length=300), nullable=True))
    op.add_column("predictions", sa.Column("box", sa.JSON(), nullable=True))
    op.create_table(
        "previews",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_previews")),
    )


def downgrade() -> None:
    op.drop_table("previews")
    op.drop_column("predictions", "box")
    op.drop_column("predictions", "notes")
