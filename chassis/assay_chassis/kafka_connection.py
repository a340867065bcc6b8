"""How to reach Kafka: addresses, TLS and SASL out of the settings, in the forms FastStream and aiokafka take.

Never connects.
"""

from __future__ import annotations

import ssl
from typing import Any

from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from assay_chassis.errors import Misconfigured
from assay_chassis.settings import ServiceSettings

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def bootstrap_servers(settings: ServiceSettings) -> list[str]:
    return [address.strip() for address in settings.kafka_bootstrap_servers.split(",") if address.strip()]


def security(settings: ServiceSettings) -> BaseSecurity | None:
    """FastStream's description of the protection, None for plain text. Raises Misconfigured."""
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = _ssl_context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=context, use_ssl=True)
    if not settings.kafka_sasl_username:
        raise Misconfigured(f"ASSAY_KAFKA_SASL_USERNAME is empty, and {protocol} needs it; set it")
    return _SASL[settings.kafka_sasl_mechanism](
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


def client_options(settings: ServiceSettings) -> dict[str, Any]:
    """The same as keyword arguments of aiokafka's clients."""
    return {"bootstrap_servers": bootstrap_servers(settings), **parse_security(security(settings))}


def _ssl_context(settings: ServiceSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile is not None:
        context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    return context
