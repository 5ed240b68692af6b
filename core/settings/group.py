"""What the groups of settings share."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    """Settings of one subject. A setting is read from the variable of its name, after the prefix of its group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variable_prefix: ClassVar[str] = ""
