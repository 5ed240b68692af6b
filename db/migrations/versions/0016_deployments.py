"""Which model is primary or shadow since when"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "role",
            sa.Enum("primary", "shadow", name="modelrole", native_enum=False, create_constraint=True, length=16),
            nullable=False,
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployed_by", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["model_sha256"], ["models.sha256"], name=op.f("fk_deployments_model_sha256_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_deployments_primary",
        "deployments",
        ["role"],
        unique=True,
        sqlite_where=sa.text("role = 'primary' AND until IS NULL"),
        postgresql_where=sa.text("role = 'primary' AND until IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("deployments")
