"""Brokers under test: in memory, librdkafka's mock cluster and real Kafka, behind one factory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from assay_chassis.broker import Broker, KafkaBroker
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.settings import ServiceSettings

BrokerFactory = Callable[[], Broker]


@pytest.fixture(
    params=[
        "memory",
        pytest.param("mock", marks=pytest.mark.real),
        pytest.param("kafka", marks=pytest.mark.real),
    ]
)
def new_broker(request: pytest.FixtureRequest) -> BrokerFactory:
    """Makes clients of one and the same broker."""
    if request.param == "memory":
        log = MemoryLog()
        return lambda: InMemoryBroker(log)
    servers = request.getfixturevalue("mock_kafka" if request.param == "mock" else "kafka")
    settings = ServiceSettings(kafka_bootstrap_servers=servers, kafka_fetch_max_wait_ms=20, shutdown_timeout_s=3)
    return lambda: KafkaBroker(settings)
