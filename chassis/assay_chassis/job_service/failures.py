"""Why an attempt failed: the exception a worker raises, and how a run's end is classified.
Pure: reads a run's status, never the backend or the store."""

from __future__ import annotations

from assay_schemas.jobs import JobError, Usage

from assay_chassis.compute.base import Cause, RunState, RunStatus

LOG_LINES = 40
LOG_CHARACTERS = 6_000


class JobFailed(Exception):
    """A job's own end: a class people can search for, whether trying again can help, and what to do."""

    def __init__(self, error_class: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.retryable = retryable

    def as_error(self) -> JobError:
        return JobError.of(self.error_class, str(self), retryable=self.retryable)


def classify(status: RunStatus) -> JobError:
    """The error of a run that ended without a manifest and was not cancelled."""
    class_, retryable, message = _judge(status)
    return JobError.of(class_, message, retryable=retryable, log=log_end(status.log_tail))


def _judge(status: RunStatus) -> tuple[str, bool, str]:
    reason = status.reason or "the run ended without saying why"
    match status.cause:
        case Cause.OUT_OF_MEMORY:
            limit = status.run.resources.memory_gib
            room = f" of {limit:g} GiB" if limit else ""
            mend = f"raise hardware.memory_gib{room}, or lower micro_batch_size, batch_size or max_length"
            return "out_of_memory", False, f"{reason}; {mend}"
        case Cause.TIMEOUT:
            return "timeout", _can_resume(status), f"{reason}; raise the deadline or ask for less work"
        case Cause.KILLED:
            return "killed", True, reason
        case Cause.LOST:
            return "lost", True, reason
    if status.error_class and "." not in status.error_class:
        return status.error_class, bool(status.retryable), reason
    if status.state is RunState.LOST:
        return "lost", True, reason
    return "internal", status.retryable is not False, reason


def _can_resume(status: RunStatus) -> bool:
    """Whether a next attempt would get further: the run saved a state that it can go on from."""
    return bool((status.progress or {}).get("resumable"))


def log_end(text: str) -> str:
    """The last lines of a log, short enough for an event."""
    return "\n".join(text.splitlines()[-LOG_LINES:])[-LOG_CHARACTERS:]


def usage_of(status: RunStatus) -> Usage:
    """What a run without a manifest cost, as far as the backend knows."""
    if status.started_at is None or status.ended_at is None:
        return Usage()
    wall_s = max(0.0, (status.ended_at - status.started_at).total_seconds())
    gpus = status.run.resources.gpus * status.run.machines
    return Usage(wall_s=wall_s, cpu_s=status.cpu_s or 0.0, gpu_s=wall_s * gpus)
