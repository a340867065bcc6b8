"""Which system the client talks to: ASSAY_* settings, else the one that `assay up` started.

Never starts or stops anything.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from assay.errors import NotConnected

MOCK_FETCH_WAIT_MS = 20
ADDRESSES = ("api_url", "web_url", "trainer_url", "evaluator_url")


class ClientSettings(BaseSettings):
    """Addresses of one Assay system."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore")

    kafka_bootstrap_servers: str = Field(default="", description="host:port of the broker, several with commas")
    kafka_security_protocol: str = Field(default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    kafka_sasl_mechanism: str = Field(default="SCRAM-SHA-512", description="SASL mechanism")
    kafka_sasl_username: str = Field(default="", description="SASL user")
    kafka_sasl_password: SecretStr = Field(default=SecretStr(""), description="SASL password")
    kafka_ssl_cafile: str = Field(
        default="", description="PEM file of the authority that signed the broker's certificate; default: the system's"
    )
    kafka_ssl_certfile: str = Field(default="", description="PEM file of this client's certificate")
    kafka_ssl_keyfile: str = Field(default="", description="PEM file of this client's key")
    kafka_fetch_max_wait_ms: int = Field(
        default=500, ge=1, description="how long Kafka may hold a fetch open; 20 for the mock broker, whose delay it is"
    )
    object_store: str = Field(default="", description="file:///folder or s3://bucket/prefix")
    s3_endpoint_url: str = Field(default="", description="endpoint of an S3 server that is not AWS")
    s3_region: str = Field(default="", description="region of the bucket; default: the AWS environment's")
    s3_ssl_cafile: str = Field(
        default="", description="PEM file of the authority that signed the store's certificate; default: the system's"
    )
    s3_access_key_id: str = Field(default="", description="S3 access key; default the AWS environment's")
    s3_secret_access_key: SecretStr = Field(default=SecretStr(""), description="S3 secret key")
    api_url: str = Field(default="", description="the scheduler's HTTP API")
    api_token: SecretStr = Field(default=SecretStr(""), description="token for the HTTP API, where it asks for one")
    web_url: str = Field(default="", description="the reporter's pages")
    trainer_url: str = Field(default="", description="the trainer's health, which `assay doctor` looks at")
    evaluator_url: str = Field(default="", description="the evaluator's health, which `assay doctor` looks at")
    source: str = Field(default="/client", description="CloudEvents source of what this client publishes")


def state_folder() -> Path:
    """Where `assay up` keeps its state: $ASSAY_HOME, else .assay in the home folder."""
    return Path(os.environ.get("ASSAY_HOME") or Path.home() / ".assay")


def load_settings(**given: Any) -> ClientSettings:
    """Settings from arguments, then ASSAY_* variables, then the system `assay up` started.

    Raises NotConnected when none of them names a broker and a store.
    """
    explicit = ClientSettings(**{key: value for key, value in given.items() if value is not None})
    found = explicit.model_copy(update=_defaults(explicit))
    missing = [name for name in ("kafka_bootstrap_servers", "object_store") if not getattr(found, name)]
    if missing:
        names = " and ".join(f"ASSAY_{name.upper()}" for name in missing)
        raise NotConnected(f"No Assay system found. Start one with `assay up`, or set {names}.")
    return found


def _defaults(explicit: ClientSettings) -> dict[str, Any]:
    """What the embedded system offers for settings that nobody set; nothing when another broker is named."""
    if explicit.kafka_bootstrap_servers:
        return {}
    given = {name for name in explicit.model_fields_set if getattr(explicit, name)}
    return {name: value for name, value in _embedded().items() if name not in given}


def _embedded() -> dict[str, Any]:
    try:
        system = json.loads((state_folder() / "system.json").read_text())
        system |= {f"{name}_url": process["url"] for name, process in system.get("processes", {}).items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return {}
    names = ("kafka_bootstrap_servers", "object_store", "s3_endpoint_url", *ADDRESSES)
    found: dict[str, Any] = {name: str(system[name]) for name in names if system.get(name)}
    return found | ({"kafka_fetch_max_wait_ms": MOCK_FETCH_WAIT_MS} if system.get("kafka") == "mock" else {})
