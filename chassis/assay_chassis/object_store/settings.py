"""Which object store to use, and with which credentials.
Never shows a secret: they are SecretStr."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Read from ASSAY_* variables. Without keys, the AWS default credential chain is used."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore")

    object_store: str = Field(default=".assay/store", description="Root URI: file:///folder, s3://bucket/prefix")
    s3_endpoint_url: str | None = Field(default=None, description="S3 server other than AWS")
    s3_region: str = Field(default="us-east-1", description="Region of the bucket")
    s3_ssl_cafile: Path | None = Field(
        default=None, description="PEM file of the authority that signed the store's certificate; default: the system's"
    )
    s3_access_key_id: SecretStr | None = Field(default=None, description="Access key of the S3 account")
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Secret of that access key")
