"""Several evaluations in one run: one engine for all, weights put in place of the earlier ones, a manifest for each.

One that fails or is not wanted any more ends alone; the run goes on with the next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from assay_chassis.compute import Cause, JobRun
from assay_chassis.compute.members import MemberRecords, members_of
from assay_chassis.job_service.failures import JobFailed
from assay_chassis.job_service.records import has_ended
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.jobs import EvalRequest

from assay_evaluator.engines.base import Progress
from assay_evaluator.failures import classified
from assay_evaluator.fanout.opening import resident_on
from assay_evaluator.inputs import unwanted_key
from assay_evaluator.progress import EvaluationProgress, Stopped
from assay_evaluator.settings import EvaluatorSettings
from assay_evaluator.worker import evaluate, write_manifest

if TYPE_CHECKING:
    from assay_chassis.compute import JobContext

LOOK_S = 2.0
log = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Do the evaluations that the context's payload lists; leaves no outcome when asked to end before all are done."""
    members = sorted(members_of(context.payload), key=_place)
    records = MemberRecords(context.report_progress)
    with SyncObjectStore(StoreSettings()) as store:
        shared = _Shared(context, store, records, members)
        for member in members:
            if context.should_stop():
                log.info("asked to end before every evaluation was done")
                return
            shared.do(member)
    context.finish({"evaluations": len(members)})


def _place(member: JobRun) -> tuple[str, str, str]:
    """Benchmarks of one batch size after another, so that the engine stays open; then model by model."""
    inputs = EvalRequest.model_validate(member.payload).inputs
    return str(inputs.parameters.get("batch_size", "")), str(inputs.model), inputs.benchmark


class _Shared:
    """The engine that the evaluations have in common, and what is said of each."""

    def __init__(
        self, context: JobContext, store: SyncObjectStore, records: MemberRecords, members: list[JobRun]
    ) -> None:
        self._context = context
        self._store = store
        self._records = records
        self._cache = EvaluatorSettings().cache_folder
        self._progress = _Forwarded()
        hardware = EvalRequest.model_validate(members[0].payload).hardware
        self._engine = resident_on(hardware, self._progress)

    def do(self, member: JobRun) -> None:
        """One evaluation, to its end, whichever that is. Only a run that is to end leaves it without one."""
        stop = _Stop(self._context.should_stop, self._store, member)
        progress = EvaluationProgress(partial(self._records.progressed, member), stop)
        self._progress.to = progress
        self._records.started(member)
        try:
            self._evaluate(EvalRequest.model_validate(member.payload), progress)
        except Stopped:
            if stop.cause is not None:
                self._records.stopped(member, stop.cause, stop.reason)
        except JobFailed as error:
            log.warning("the evaluation %s failed; the others go on: %s", member.name, error)
            self._records.failed(member, error)
        except Exception as error:
            log.exception("the evaluation %s failed; the others go on with a new engine", member.name)
            self._engine.close()
            self._records.failed(member, error)
        else:
            self._records.succeeded(member, {})

    def _evaluate(self, request: EvalRequest, progress: EvaluationProgress) -> None:
        """Evaluate, and write the manifest; nothing of it where the attempt has its end already."""
        with classified():
            if has_ended(self._store, request.job_key, request.attempt):
                log.info("the evaluation %s has ended before: nothing is done again", request.job_key)
                return
            write_manifest(self._store, evaluate(request, self._store, self._cache, progress, self._engine))


class _Forwarded:
    """The progress an engine is opened with, which is another evaluation's each time."""

    to: Progress

    def expect(self, rows: int) -> None:
        self.to.expect(rows)

    def rows_done(self, rows: int) -> None:
        self.to.rows_done(rows)

    def beat(self) -> None:
        self.to.beat()


class _Stop:
    """Whether an evaluation is to end, and why where it ends alone; looks for word of that every two seconds."""

    def __init__(self, run_stops: Callable[[], bool], store: SyncObjectStore, member: JobRun) -> None:
        self._run_stops = run_stops
        self._store = store
        self._member = member
        self._began = time.monotonic()
        self._looked = -LOOK_S
        self.cause: Cause | None = None
        self.reason = ""

    def __call__(self) -> bool:
        now, deadline = time.monotonic(), self._member.deadline_s
        if deadline is not None and now - self._began > deadline:
            self.cause, self.reason = Cause.TIMEOUT, f"ran past its deadline of {deadline:g} s"
        elif now - self._looked >= LOOK_S:
            self._looked = now
            if self._store.exists(unwanted_key(self._member)):
                self.cause, self.reason = Cause.CANCELLED, "cancelled"
        return self.cause is not None or self._run_stops()
