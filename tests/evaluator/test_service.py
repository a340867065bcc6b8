"""The evaluator on real processes: what is asked for by an event is evaluated or selected, and said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.clock import SystemClock
from assay_chassis.compute import LocalBackend, SharedRuns, environments_of
from assay_chassis.job_service import JobService
from assay_chassis.memory import InMemoryBroker
from assay_chassis.object_store import SyncObjectStore
from assay_chassis.publishing import make_event
from assay_evaluator.handlers import EVALUATION, PRELOAD, ask_to_end, selection
from assay_evaluator.version import harness_version
from assay_schemas.artifacts import CheckpointRef, manifest_key
from assay_schemas.envelope import Event
from assay_schemas.jobs import JobRequest, SelectionInputs, SelectionRequest, TrainingInputs, job_key
from assay_schemas.results import EvalResult, SavedCheckpoint, TrainingResult

pytestmark = pytest.mark.real
PATIENCE_S = 200.0


def asked(topic: str, request: JobRequest) -> Event:
    return make_event(topic, request, key=request.job_key, source="scheduler")


class Evaluator:
    """A job service for evaluations and selections on the local backend, with a broker in memory."""

    def __init__(self, backend: LocalBackend, store: SyncObjectStore) -> None:
        self.backend = backend
        self.broker = InMemoryBroker()
        self.service = JobService(
            source="evaluator",
            types=[EVALUATION, selection(store.store)],
            backend=SharedRuns(backend, partial(ask_to_end, store.store)),
            store=store.store,
            publisher=self.broker,
            clock=SystemClock(),
            most_together=2,
        )

    async def ask(self, topic: str, request: JobRequest) -> None:
        await self.service.requested(asked(topic, request))

    async def said(self, topic: str, count: int = 1) -> list[Event]:
        async with asyncio.timeout(PATIENCE_S):
            while len(found := self.broker.events(topic)) < count:
                await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def evaluator(store: SyncObjectStore, tmp_path: Path) -> AsyncIterator[Evaluator]:
    environment = {"ASSAY_OBJECT_STORE": store.root, "ASSAY_EVALUATION_CACHE": str(tmp_path / "cache")}
    environments = environments_of("harness", harness_version(), None)
    backend = LocalBackend(tmp_path / "compute", preload=PRELOAD, environment=environment, environments=environments)
    await backend.start()
    started = Evaluator(backend, store)
    await started.broker.start()
    watching = asyncio.create_task(started.service.monitor.run())
    yield started
    watching.cancel()
    await backend.shutdown()
    await backend.close()


async def test_requests_end_in_completions_that_name_their_results_whether_or_not_they_share_a_run(
    evaluator: Evaluator, ask: Callable[..., Any], store: SyncObjectStore, sums: list[dict[str, Any]]
) -> None:
    requests = [ask("exact_match", sums, {"max_tokens": 4}), ask("perplexity", sums)]
    impossible = ask("numeric", [{"prompt": "colour?", "answer": "blue"}])
    together = [asked("eval.requested", request) for request in (*requests, impossible)]
    await evaluator.service.requested_together(together)
    assert [status.run.kind for status in await evaluator.backend.list()].count("shared") == 1
    completions = {event.data["job_key"]: event.data for event in await evaluator.said("eval.completed", 3)}
    for request in requests:
        completion = completions[request.job_key]
        assert completion["outcome"] == "succeeded", completion["error"]
        data = await store.store.get_bytes(completion["result"]["uri"])
        assert EvalResult.model_validate_json(data).items == 40
    failed = completions[impossible.job_key]
    assert failed["outcome"] == "failed"
    assert (failed["error"]["class"], failed["error"]["retryable"]) == ("bad_input", False)
    assert "holds no number" in failed["error"]["message"]
    assert {event.data["job_key"] for event in evaluator.broker.events("job.progressed")} >= completions.keys() - {""}


async def test_a_selection_is_answered_at_once_and_the_same_again(evaluator: Evaluator, store: SyncObjectStore) -> None:
    request = await training_to_select_from(store)
    await evaluator.ask("selection.requested", request)
    await evaluator.ask("selection.requested", request)
    first, second = await evaluator.said("checkpoint.selected", 2)
    assert first.id == second.id
    assert first.data["checkpoint"]["step"] == 20
    assert first.data["outcome"] == "succeeded"
    assert await store.store.exists(manifest_key(request.job_key, 1))


async def training_to_select_from(store: SyncObjectStore) -> SelectionRequest:
    training = TrainingInputs(
        algorithm="SFT", engine_version="1", model="a" * 64, dataset="b" * 64, hyperparameters={}, seed=0
    )
    checkpoints = [
        SavedCheckpoint(
            checkpoint=CheckpointRef(uri=f"{store.root}/{step}", digest=f"{step:064x}", step=step), validation_loss=loss
        )
        for step, loss in ((10, 2.0), (20, 1.0), (30, 1.5))
    ]
    result = TrainingResult(
        job_key=job_key(training),
        attempt=1,
        completed_at=datetime(2026, 1, 1, tzinfo=UTC),
        inputs=training,
        checkpoints=checkpoints,
        steps=30,
        rows=9,
        validation_rows=1,
    )
    reference = await store.store.put_bytes(manifest_key(result.job_key, 1), result.model_dump_json().encode())
    declared = SelectionInputs(training=result.job_key, policy="best_validation")
    return SelectionRequest(job_key=job_key(declared), attempt=1, inputs=declared, training_result=reference)
