"""Fields and shapes that several resources share. The OpenAPI document is made from them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.jobs import MAX_ID

RecordId = Annotated[int, Field(ge=1, le=MAX_ID)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Cursor = Annotated[int | None, Field(ge=0, le=MAX_ID, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Field(ge=1, le=500)]


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` is for a person."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None


class Error(Schema):
    code: str
    message: str


class JobPath(Schema):
    job_id: RecordId


class ImagePath(Schema):
    image_id: RecordId


class PageQuery(Schema):
    cursor: Cursor = None
    limit: Limit = 100


class Changed(Schema):
    changed: int = Field(description="How many images this applied to.")
    left: int | None = Field(
        None, description="Failed images that a retry can't help, and so left alone; absent when there are none."
    )
