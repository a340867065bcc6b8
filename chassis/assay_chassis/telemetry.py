"""Logs and metrics: structured lines without secrets, and a closed set of metric names.

Never sends anything anywhere: lines go to standard error, metrics are read at /metrics.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from pydantic import SecretStr

CounterName = Literal[
    "events_consumed",
    "events_retried",
    "events_ignored",
    "events_published",
    "duplicates_dropped",
    "background_restarts",
    "leases_lapsed",
]
GaugeName = Literal[
    "consumer_lag_seconds",
    "consumer_lag_records",
    "dead_letters",
    "outbox_pending",
    "outbox_age_seconds",
    "relay_leader",
    "jobs",
    "queue_wait_seconds",
    "experiment_wait_seconds",
]
HistogramName = Literal["event_seconds"]

_PASSWORD_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE)
_SECRET_NAME = re.compile(r"password|secret|token|webhook|authorization|api_key|access_key", re.IGNORECASE)
_HIDDEN = "**********"

_COUNTERS: dict[str, Counter] = {
    "events_consumed": Counter("assay_events_consumed", "Records settled, by how they ended", ["topic", "outcome"]),
    "events_retried": Counter("assay_events_retried", "Tries of a record that failed and will be repeated", ["topic"]),
    "events_ignored": Counter("assay_events_ignored", "Events that rightly changed nothing", ["topic", "reason"]),
    "events_published": Counter("assay_events_published", "Events acknowledged by the broker", ["topic"]),
    "duplicates_dropped": Counter("assay_duplicates_dropped", "Events that the inbox had already", ["topic"]),
    "background_restarts": Counter("assay_background_restarts", "Background tasks started again", ["task"]),
    "leases_lapsed": Counter("assay_leases_lapsed", "Attempts that seemed silent past their lease", []),
}
_GAUGES: dict[str, Gauge] = {
    "consumer_lag_seconds": Gauge("assay_consumer_lag_seconds", "Seconds the group is behind", ["topic"]),
    "consumer_lag_records": Gauge("assay_consumer_lag_records", "Records the group is behind", ["topic"]),
    "dead_letters": Gauge("assay_dead_letters", "Dead letters that nobody has decided about", ["topic"]),
    "outbox_pending": Gauge("assay_outbox_pending", "Events in the outbox, not yet published", ["service"]),
    "outbox_age_seconds": Gauge("assay_outbox_age_seconds", "Age of the oldest event not yet published", ["service"]),
    "jobs": Gauge("assay_jobs", "Jobs that have not ended", ["status"]),
    "queue_wait_seconds": Gauge("assay_queue_wait_seconds", "Longest wait of a job that is ready", ["priority"]),
    "experiment_wait_seconds": Gauge(
        "assay_experiment_wait_seconds", "Age of the oldest experiment to be taken in, or to be ended", ["stage"]
    ),
    "relay_leader": Gauge("assay_relay_leader", "1 where this process publishes the outbox", ["service"]),
}
_HISTOGRAMS: dict[str, Histogram] = {
    "event_seconds": Histogram("assay_event_seconds", "Seconds from taking up a record to settling it", ["topic"]),
}


def count(name: CounterName, amount: float = 1, **labels: str) -> None:
    metric = _COUNTERS[name]
    (metric.labels(**labels) if labels else metric).inc(amount)


def gauge(name: GaugeName, value: float, **labels: str) -> None:
    _GAUGES[name].labels(**labels).set(value)


def observe(name: HistogramName, value: float, times: int = 1, **labels: str) -> None:
    """`times` for what several had in common."""
    histogram = _HISTOGRAMS[name].labels(**labels)
    for _ in range(times):
        histogram.observe(value)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)


def logger(name: str) -> Any:
    """A structlog logger that says whose line it is."""
    return structlog.get_logger(part=name)


class OncePerWhile(logging.Filter):
    """Lets each message of aiokafka and OpenTelemetry through once in a while: they repeat them during an outage."""

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._seen: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "opentelemetry")):
            return True
        place = (record.pathname, record.lineno)
        due = record.created - self._seen.get(place, -math.inf) >= self._seconds
        if due:
            self._seen[place] = record.created
        return due


class _ServiceHandler(logging.StreamHandler[TextIO]):
    """The one handler that a second `configure_logging` replaces."""


def configure_logging(service: str, level: str, form: Literal["json", "console"]) -> None:
    """Set up structlog and the standard library's logging for a process; both hide secrets."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _ServiceHandler(sys.stderr)
    handler.addFilter(OncePerWhile())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    for earlier in [found for found in root.handlers if isinstance(found, _ServiceHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("aiokafka", "asyncio", "uvicorn", "faststream", "httpx", "botocore"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.contextvars.bind_contextvars(service=service)


def hide_secrets(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: SecretStr values, values under telling names, and passwords in URLs are replaced."""
    for name, value in entry.items():
        entry[name] = _HIDDEN if _SECRET_NAME.search(name) and value else without_secrets(value)
    return entry


def without_secrets(value: Any) -> Any:
    """The same value with SecretStr and passwords in URLs replaced, also inside lists and dictionaries."""
    if isinstance(value, SecretStr):
        return _HIDDEN
    if isinstance(value, str):
        return _PASSWORD_IN_URL.sub(rf"\g<scheme>:{_HIDDEN}@", value)
    if isinstance(value, dict):
        return {
            key: _HIDDEN if _SECRET_NAME.search(str(key)) and item else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    if isinstance(value, BaseException):
        return without_secrets(f"{type(value).__name__}: {value}")
    return value
