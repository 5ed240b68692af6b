"""The limits on what is taken in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.settings.group import Count, Group


class Limits(Group):
    """How large a file, a request and an image may be."""

    max_upload_bytes: Count = Field(64_000_000, description="Largest single file accepted.")
    max_request_bytes: Count = Field(1_000_000_000, description="Largest upload request accepted.")
    max_pixels: Count = Field(100_000_000, description="Largest image accepted, width times height.")
    min_free_disk_bytes: Annotated[int, Field(ge=0)] = Field(
        500_000_000, description="Uploads leave this much of the image storage's disk free."
    )
