"""Jobs that are done in the handler itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from assay_chassis.job_service import JobFailed, JobType
from assay_chassis.publishing import make_event
from assay_schemas.artifacts import ArtifactRef, CheckpointRef
from assay_schemas.envelope import Event
from assay_schemas.events import CheckpointSelected
from assay_schemas.jobs import SelectionInputs, SelectionRequest, job_key
from assay_schemas.results import SelectionResult
from job_ground import KEY, NOW, Ground


class TestInlineJobs:
    INPUTS = SelectionInputs(training=KEY, policy="last")

    def type_of(self, select: Any) -> JobType:
        return JobType("selection", SelectionRequest, SelectionResult, CheckpointSelected, inline=select)

    def event(self) -> Event:
        key = job_key(self.INPUTS)
        reference = ArtifactRef(uri="file:///manifest", sha256="d" * 64, size=1)
        request = SelectionRequest(job_key=key, attempt=1, inputs=self.INPUTS, training_result=reference)
        return make_event("selection.requested", request, key=key, source="scheduler", correlation="experiment-1")

    def origin(self, ground: Ground) -> tuple[str, str]:
        """What the one completion names as its cause, and what it belongs to."""
        [event] = [event for event in ground.publisher.events if event.type == "checkpoint.selected"]
        return event.causationid, event.correlationid

    async def test_an_inline_job_is_done_in_the_handler(self) -> None:
        chosen = CheckpointRef(uri="file:///checkpoint", digest="c" * 64, step=3)

        async def select(request: Any) -> SelectionResult:
            return SelectionResult(
                job_key=request.job_key, attempt=1, completed_at=NOW, inputs=request.inputs, checkpoint=chosen
            )

        ground = Ground(self.type_of(select))
        await ground.service.requested(self.event())
        [completion] = ground.publisher.of("checkpoint.selected")
        assert completion["outcome"] == "succeeded"
        assert self.origin(ground) == (self.event().id, "experiment-1")
        assert completion["checkpoint"]["step"] == 3

    async def test_two_replicas_that_answer_the_same_request_write_the_same_manifest(self) -> None:
        chosen, days, written = CheckpointRef(uri="file:///checkpoint", digest="c" * 64, step=3), iter((1, 2)), []

        async def select(request: Any) -> SelectionResult:
            at = NOW + timedelta(days=next(days))
            return SelectionResult(
                job_key=request.job_key, attempt=1, completed_at=at, inputs=request.inputs, checkpoint=chosen
            )

        request = self.event()
        for _ in range(2):
            ground = Ground(self.type_of(select))
            await ground.service.requested(request)
            [completion] = ground.publisher.of("checkpoint.selected")
            written.append(completion["result"]["sha256"])
        assert written[0] == written[1]

    async def test_an_inline_job_that_fails_says_why(self) -> None:
        async def select(request: Any) -> SelectionResult:
            raise JobFailed("bad_input", "no checkpoint has a validation loss")

        ground = Ground(self.type_of(select))
        await ground.service.requested(self.event())
        [completion] = ground.publisher.of("checkpoint.selected")
        assert completion["error"]["class"] == "bad_input"
