"""Which broker the embedded system uses: one that is given, real Kafka where it can run, otherwise the mock.
Never falls back without saying so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from assay_local import jars
from assay_local.broker_topics import embedded_topics
from assay_local.errors import JarsUnavailable
from assay_local.kafka import KafkaServer
from assay_local.mock import WARNING, MockKafka
from assay_local.state import StateFolder

BrokerKind = Literal["apache", "mock", "external"]


def choose_broker(
    state: StateFolder, wanted: Literal["auto", "apache", "mock"], tell: Callable[[str], None]
) -> KafkaServer | MockKafka:
    """The broker to start. `wanted` other than `auto` settles it."""
    log = state.logs / "kafka.log"
    real = KafkaServer(state.path / "kafka", log)
    if wanted == "apache":
        return real
    reason = "asked for" if wanted == "mock" else _why_not_real(tell)
    if reason is None:
        return real
    tell(f"{WARNING} ({reason})")
    return MockKafka(state.path / "mock-kafka", embedded_topics(), log)


def _why_not_real(tell: Callable[[str], None]) -> str | None:
    if reason := jars.why_unavailable():
        return reason
    if not jars.complete():
        tell(f"Fetching Apache Kafka {jars.KAFKA_VERSION} once into {jars.cache_folder()} ...")
    try:
        jars.ensure_jars()
    except JarsUnavailable as problem:
        return str(problem)
    return None
