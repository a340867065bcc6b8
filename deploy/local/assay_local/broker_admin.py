"""Questions and orders to a running Kafka broker: does it answer, make these topics, delete those.
Never decides which topics there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from assay_local.errors import LocalError

_TIMEOUT_S = 30.0
_POLL_S = 0.05
_ANY_GROUP = "assay"


@dataclass(frozen=True)
class TopicSettings:
    """A topic to be made: its name, number of partitions and broker-side configuration."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


def answers(bootstrap_servers: str) -> bool:
    """Whether a broker answers a metadata request within two seconds."""
    try:
        return bool(_admin(bootstrap_servers).list_topics(timeout=2.0).brokers)
    except KafkaException:
        return False


def topic_names(bootstrap_servers: str) -> set[str]:
    """Every topic on the broker, internal ones included."""
    return set(_admin(bootstrap_servers).list_topics(timeout=_TIMEOUT_S).topics)


def create_topics(
    bootstrap_servers: str, topics: Iterable[TopicSettings], options: Mapping[str, str] | None = None
) -> None:
    """Make the topics that are not there yet and wait until each has a leader.

    `options` are librdkafka's, for a broker that wants a login. Raises LocalError when the broker refuses a topic
    or does not answer.
    """
    new = [NewTopic(topic.name, topic.partitions, config=dict(topic.config)) for topic in topics]
    if not new:
        return
    admin = _admin(bootstrap_servers, options)  # kept: its requests end with it
    results = admin.create_topics(new, operation_timeout=_TIMEOUT_S)
    _settle(results, "create", KafkaError.TOPIC_ALREADY_EXISTS)
    wanted = {topic.topic for topic in new}
    _await_metadata(admin, lambda known: wanted <= {name for name, topic in known.items() if _led(topic)})


def begin_groups(bootstrap_servers: str) -> AdminClient:
    """Have a new broker make the topic that consumer groups need. It makes it when somebody first asks for a group,
    and then lets everybody wait for a second.

    Waits for nothing; the question ends with the client that is returned.
    """
    admin = _admin(bootstrap_servers)
    admin.describe_consumer_groups([_ANY_GROUP])
    return admin


def delete_topics(bootstrap_servers: str, names: Iterable[str]) -> None:
    """Delete topics with all that is in them, and wait until the broker has forgotten them."""
    gone = set(names)
    if not gone:
        return
    admin = _admin(bootstrap_servers)  # kept: its requests end with it
    results = admin.delete_topics(list(gone), operation_timeout=_TIMEOUT_S)
    _settle(results, "delete", KafkaError.UNKNOWN_TOPIC_OR_PART)
    _await_metadata(admin, lambda known: not known.keys() & gone)


def _led(topic: Any) -> bool:
    return topic.error is None and all(part.leader >= 0 for part in topic.partitions.values())


def _await_metadata(admin: AdminClient, settled: Callable[[Mapping[str, Any]], bool]) -> None:
    # A broker learns what its controller has done a moment after the controller has answered.
    deadline = time.monotonic() + _TIMEOUT_S
    while not settled(admin.list_topics(timeout=_TIMEOUT_S).topics):
        if time.monotonic() > deadline:
            raise LocalError(f"the broker did not show its new set of topics within {_TIMEOUT_S:g} s")
        time.sleep(_POLL_S)


def _settle(results: dict[str, Future[Any]], what: str, harmless: int) -> None:
    for name, result in results.items():
        try:
            result.result(timeout=_TIMEOUT_S)
        except KafkaException as refusal:
            error = refusal.args[0]
            if error.code() != harmless:
                raise LocalError(f"the broker did not {what} topic {name}: {error.str()}") from refusal


def _admin(bootstrap_servers: str, options: Mapping[str, str] | None = None) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, **(options or {})})
