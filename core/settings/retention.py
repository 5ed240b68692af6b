"""For how long jobs are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.settings.group import Group


class Retention(Group):
    """When the janitor deletes."""

    variable_prefix = "retention_"

    days: Annotated[int, Field(ge=0)] = Field(
        0, description="Delete jobs in which nothing has happened for so many days; 0: keep them."
    )
