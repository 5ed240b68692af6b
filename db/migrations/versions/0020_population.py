"""As whose chest an image was judged, a child's or an adult's, and the choice of that for a job"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Workers of the release before leave them empty, as a model does that judges all images alike.
    op.add_column("predictions", sa.Column("population", sa.String(length=16), nullable=True))
    op.add_column("predictions", sa.Column("population_by", sa.String(length=16), nullable=True))
    op.add_column("jobs", sa.Column("population", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "population")
    op.drop_column("predictions", "population_by")
    op.drop_column("predictions", "population")
