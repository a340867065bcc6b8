"""What the surroundings offer instead of parts of the embedded system: a broker, a database, an object store.
Never connects to any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay_local.errors import LocalError

# The settings of a Kafka client in the environment, and librdkafka's names for them.
_KAFKA_OPTIONS = {
    "ASSAY_KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "ASSAY_KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "ASSAY_KAFKA_SASL_USERNAME": "sasl.username",
    "ASSAY_KAFKA_SASL_PASSWORD": "sasl.password",
    "ASSAY_KAFKA_SSL_CAFILE": "ssl.ca.location",
    "ASSAY_KAFKA_SSL_CERTFILE": "ssl.certificate.location",
    "ASSAY_KAFKA_SSL_KEYFILE": "ssl.key.location",
}


@dataclass(frozen=True)
class External:
    """Addresses to use instead of starting a part; empty where the embedded system brings its own."""

    kafka_bootstrap_servers: str = ""
    database_url: str = field(default="", repr=False)
    object_store: str = ""
    s3_endpoint_url: str = ""
    kafka_options: Mapping[str, str] = field(default_factory=dict, repr=False)


def find_external(environment: Mapping[str, str]) -> External:
    """Read the surroundings; raises LocalError when an S3 endpoint is named without a bucket."""
    endpoint = environment.get("ASSAY_S3_ENDPOINT_URL", "")
    store = environment.get("ASSAY_OBJECT_STORE", "")
    if endpoint and not store:
        raise LocalError("ASSAY_S3_ENDPOINT_URL is set without a bucket: set ASSAY_OBJECT_STORE=s3://bucket/prefix")
    kafka = environment.get("ASSAY_KAFKA_BOOTSTRAP_SERVERS") or environment.get("KAFKA_BOOTSTRAP_SERVERS", "")
    options = {option: environment[name] for name, option in _KAFKA_OPTIONS.items() if environment.get(name)}
    return External(kafka, environment.get("ASSAY_DATABASE_URL", ""), store, endpoint, options)
