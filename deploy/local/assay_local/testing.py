"""Real brokers and databases for tests: one server for a session, a clean state for each test.
Never used by the running system.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from assay_local.broker_admin import create_topics, delete_topics, topic_names
from assay_local.broker_topics import embedded_topics
from assay_local.component import running
from assay_local.kafka import KafkaServer
from assay_local.mock import MockKafka
from assay_local.postgres import PostgresServer, execute


@contextmanager
def kafka_server(folder: Path) -> Iterator[KafkaServer]:
    """A running broker without topics; raises JarsUnavailable where Java or Maven is missing."""
    server = KafkaServer(folder)
    with running(server):
        yield server


def renew_topics(bootstrap_servers: str) -> None:
    """Delete every topic, events and committed offsets with it, and make the declared ones again (< 1 s)."""
    delete_topics(bootstrap_servers, {name for name in topic_names(bootstrap_servers) if name[:2] != "__"})
    create_topics(bootstrap_servers, embedded_topics())


@contextmanager
def mock_broker(folder: Path) -> Iterator[str]:
    """The bootstrap servers of a new mock cluster that has the declared topics."""
    broker = MockKafka(folder, embedded_topics())
    with running(broker):
        yield broker.bootstrap_servers


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A running server that survives kill -9 but, for speed, not the loss of power."""
    server = PostgresServer(folder, settings={"fsync": "off", "full_page_writes": "off"})
    with running(server):
        yield server


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped at the end whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    execute(server_url, f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')
