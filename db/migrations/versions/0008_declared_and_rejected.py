"""How many files a job's sender declared, and the files of a job that were rejected"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("expected_images", sa.Integer(), nullable=True))
    op.create_table(
        "rejections",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("filename", sa.String(512), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        # The release before erases a job without knowing this table.
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_rejections_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejections")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_rejections", "rejections", ["job_id", "filename", "sha256"], unique=True)


def downgrade() -> None:
    op.drop_table("rejections")
    op.drop_column("jobs", "expected_images")
