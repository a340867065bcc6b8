"""Stores requests as they come, for intake to work on: from Kafka and from HTTP alike.

Looks at no more of a request than a list of experiments shows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from assay_chassis import tracing
from assay_chassis.outbox import Transaction
from assay_schemas.canonical import digest_of
from assay_schemas.experiments import PRIORITIES

from assay_scheduler.bell import CHANNEL, REQUEST
from assay_scheduler.store import QUERIES

RequestKind = Literal["experiment", "training_job", "eval_job", "retry"]


async def store_request(
    tx: Transaction,
    *,
    identity: str,
    kind: RequestKind,
    document: dict[str, Any],
    dataschema: str,
    owner: str,
    at: datetime,
    asked_in: str = "",
) -> bool:
    """Whether the request is new. Wakes intake at commit. `asked_in`: the trace context of who asks."""
    priority = document.get("priority")
    new = await tx.connection.fetchval(
        QUERIES.add_experiment,
        identity,
        kind,
        _text(document.get("name"), "experiment" if kind == "experiment" else kind.replace("_", " ")),
        _text(document.get("owner"), owner),
        priority if priority in PRIORITIES else "MED",
        document,
        digest_of(document),
        dataschema,
        at,
    )
    tx.notify(CHANNEL, REQUEST)
    if new is not None:
        with tracing.span("requested", correlation=identity, started=at, links=(asked_in,), kind=kind):
            return True
    return False


def _text(value: Any, otherwise: str) -> str:
    """A null character is valid JSON, but no text that PostgreSQL can hold."""
    return value[:200].replace("\x00", "") if isinstance(value, str) and value else otherwise
