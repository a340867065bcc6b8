"""Stand-ins for trainer and evaluator: they answer each request at once, as told.

They do no work; what they claim to have done is never looked at by the scheduler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.publishing import make_event
from assay_schemas.artifacts import ArtifactRef, CheckpointRef
from assay_schemas.envelope import Event, Record, decode
from assay_schemas.events import COMPLETION_TOPIC, REQUEST_TOPIC, CheckpointSelected, EvalCompleted, TrainingCompleted
from assay_schemas.ids import event_id
from assay_schemas.jobs import JobError

COMPLETED = {"training": TrainingCompleted, "eval": EvalCompleted, "selection": CheckpointSelected}
KIND = {topic: kind for kind, topic in REQUEST_TOPIC.items()}
Answer = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def reference(key: str, attempt: int = 1) -> ArtifactRef:
    return ArtifactRef(uri=f"memory://x/results/{key}/{attempt}/manifest.json", sha256="0" * 64, size=1)


def succeeded(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """The values of a success; a selection chooses some checkpoint."""
    key, attempt = request["job_key"], request["attempt"]
    values: dict[str, Any] = {"outcome": "succeeded", "result": reference(key, attempt)}
    if kind == "selection":
        values["checkpoint"] = CheckpointRef(uri=f"memory://x/checkpoints/{key}", digest=key, step=10)
    return values


def failed(class_: str = "diverged", *, retryable: bool = False) -> dict[str, Any]:
    return {"outcome": "failed", "error": JobError.of(class_, "the loss is not finite.", retryable=retryable, log="x")}


def completion(kind: str, key: str, attempt: int, values: dict[str, Any]) -> Event:
    payload = COMPLETED[kind](job_key=key, attempt=attempt, completed_at=datetime.now(UTC), **values)
    topic = COMPLETION_TOPIC[kind]  # type: ignore[index]
    identity = event_id(topic, key, attempt, values["outcome"])
    return make_event(topic, payload, key=key, source="/stand-in", id=identity)


class Workers:
    """Reads the requests of a log and answers as `answer` says; None answers nothing."""

    def __init__(self, log: MemoryLog, answer: Answer = succeeded) -> None:
        self.broker = InMemoryBroker(log)
        self.answer = answer
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.cancels: list[dict[str, Any]] = []
        self.broker.subscribe([*REQUEST_TOPIC.values(), "job.cancel.requested"], "workers", self._on_record)

    async def _on_record(self, record: Record) -> None:
        event = decode(record)
        if event.type == "job.cancel.requested":
            self.cancels.append(event.data)
            return
        kind = KIND[event.type]
        self.requests.append((kind, event.data))
        values = self.answer(kind, event.data)
        if values is not None:
            await self.broker.publish(completion(kind, event.data["job_key"], event.data["attempt"], values))

    def asked(self, kind: str) -> list[dict[str, Any]]:
        return [request for asked, request in self.requests if asked == kind]


async def until(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Waits until a condition holds; its value."""
    async with asyncio.timeout(timeout_s):
        while not (value := condition()):
            await asyncio.sleep(0.02)
    return value
