"""Fixtures every test may ask for: real Kafka, its mock, PostgreSQL. Nothing starts until a test asks.
Never starts a service of Assay's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from assay_local import jars, testing
from assay_local.kafka import KafkaServer
from assay_local.postgres import PostgresServer
from hypothesis import HealthCheck, settings

# How fast a machine makes examples says nothing of what is tested.
settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("assay")


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One real broker for the session (3 s to start); tests that want its topics ask for `kafka`."""
    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    with testing.kafka_server(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def kafka(kafka_server: KafkaServer) -> str:
    """Bootstrap servers of the real broker, with every declared topic new and empty."""
    testing.renew_topics(kafka_server.bootstrap_servers)
    return kafka_server.bootstrap_servers


@pytest.fixture
def mock_kafka(tmp_path: Path) -> Iterator[str]:
    """Bootstrap servers of a mock cluster of this test alone, with every declared topic."""
    with testing.mock_broker(tmp_path / "mock-kafka") as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session (1 s to start); tests that want a database ask for `database_url`."""
    with testing.postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of this test alone."""
    with testing.fresh_database(postgres_server.url) as url:
        yield url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test on real processes that fails is tried again, twice at most; pytest's last line counts such reruns.

    Brokers, databases and training on a machine with two cores sometimes miss a deadline that has nothing to
    do with what is tested; a test that fails three times has failed.
    """
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.flaky(reruns=2))
