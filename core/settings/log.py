"""What is logged, and in which form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.settings.group import Group


class Log(Group):
    """The lines that every process writes to standard error."""

    variable_prefix = "log_"

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe event logged.")
    format: Literal["text", "json"] = Field("text", description="`json` for log collectors.")
