"""The object storage that `storage_url` names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from core.settings.group import Group, Seconds


class S3(Group):
    """How to reach the bucket of `storage_url`."""

    variable_prefix = "s3_"

    endpoint: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = Field(
        "", description="Address of an S3-compatible server; default: that of AWS in the region."
    )
    region: str = Field("us-east-1", description="Region of the bucket.")
    access_key_id: SecretStr = Field(SecretStr(""), description="Access key; default: that of the AWS instance.")
    secret_access_key: SecretStr = Field(SecretStr(""), description="Secret that belongs to the access key.")
    timeout_s: Seconds = Field(30.0, description="Longest single request to the object storage.")
