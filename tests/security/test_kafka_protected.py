"""Apache Kafka behind TLS, a login or a client's certificate: services and the client get in, others do not."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
from assay import stream
from assay.settings import ClientSettings
from assay_chassis.errors import BrokerUnavailable
from assay_chassis.kafka import KafkaBroker
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event, Record, decode
from pydantic import SecretStr

pytestmark = pytest.mark.real
USER, PASSWORD, TOPIC = "assay", "canary-password", "job.progressed"


def login(kafka: Any, certificates: Any, **changes: Any) -> dict[str, Any]:
    return {
        "kafka_bootstrap_servers": kafka.login,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_sasl_username": USER,
        "kafka_sasl_password": SecretStr(PASSWORD),
        "kafka_ssl_cafile": certificates.authority,
        **changes,
    }


def mutual(kafka: Any, certificates: Any, **changes: Any) -> dict[str, Any]:
    certificate, key = certificates.of("client")
    return {
        "kafka_bootstrap_servers": kafka.mutual,
        "kafka_security_protocol": "SSL",
        "kafka_ssl_cafile": certificates.authority,
        "kafka_ssl_certfile": certificate,
        "kafka_ssl_keyfile": key,
        **changes,
    }


DOORS = pytest.mark.parametrize("door", [login, mutual])


def event(identity: str) -> Event:
    return Event(id=identity, source="/test", type=TOPIC, time=datetime.now(UTC), data={"n": 1}, key="k")


def service(settings: dict[str, Any]) -> KafkaBroker:
    return KafkaBroker(ServiceSettings(**settings, shutdown_timeout_s=3))


@DOORS
async def test_a_service_writes_and_reads_through_the_protected_door(
    door: Any, secure_kafka: Any, certificates: Any
) -> None:
    seen: list[str] = []

    async def on_record(record: Record) -> None:
        seen.append(decode(record).id)

    broker = service(door(secure_kafka, certificates))
    broker.subscribe([TOPIC], f"group-{door.__name__}", on_record)
    await broker.start()
    try:
        await broker.publish(event(door.__name__))
        await broker.send(Record(topic=TOPIC, value=b'{"n": 2}'))  # the producer of dead letters is another one
        async with asyncio.timeout(30):
            while door.__name__ not in seen:
                await asyncio.sleep(0.05)
    finally:
        await broker.stop()


@DOORS
async def test_the_client_publishes_and_follows_through_the_protected_door(
    door: Any, secure_kafka: Any, certificates: Any
) -> None:
    given = {name: str(value) for name, value in door(secure_kafka, certificates).items() if "password" not in name}
    settings = ClientSettings(**given, kafka_sasl_password=SecretStr(PASSWORD))
    identity = f"client-{door.__name__}"
    await stream.publish(settings, [event(identity)])
    async with asyncio.timeout(30):
        async for record in stream.records(settings, [TOPIC]):
            if record is not None and identity.encode() in (record.value or b""):
                return


@pytest.mark.parametrize(
    ("door", "change"),
    [
        (login, {"kafka_sasl_password": SecretStr("wrong-canary")}),
        (login, {"kafka_security_protocol": "SASL_PLAINTEXT"}),
        (login, {"kafka_security_protocol": "PLAINTEXT"}),
        (login, {"kafka_ssl_cafile": "stranger"}),
        (mutual, {"kafka_ssl_certfile": None, "kafka_ssl_keyfile": None}),
        (mutual, {"kafka_ssl_cafile": None}),
    ],
    ids=["wrong password", "no TLS", "no TLS and no login", "another authority", "no certificate", "system's own"],
)
async def test_who_lacks_something_is_refused_in_words_without_secrets(
    door: Any, change: dict[str, Any], secure_kafka: Any, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_chassis.kafka.REQUEST_TIMEOUT_MS", 2000)
    change = {name: certificates.stranger if value == "stranger" else value for name, value in change.items()}
    broker = service(door(secure_kafka, certificates, **change))
    try:
        async with asyncio.timeout(20):
            with pytest.raises(BrokerUnavailable, match="ASSAY_KAFKA_BOOTSTRAP_SERVERS") as refused:
                await broker.start()
    finally:
        await broker.stop()
    assert "canary" not in str(refused.value)


def test_certificates_are_always_checked(certificates: Any) -> None:
    """No setting turns it off."""
    settings = ClientSettings(kafka_security_protocol="SSL", kafka_ssl_cafile=str(certificates.authority))
    context = stream._connection(settings)["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
