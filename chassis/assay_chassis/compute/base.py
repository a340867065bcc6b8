"""What a compute backend is: the runs it takes, the status it reports and the calls it answers.
Never starts a process and never imports a machine-learning library; the backends beside it do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field

from assay_chassis.compute.entrypoint import check_entrypoint

KEY_CHARACTERS_IN_NAME = 16
OVER_NODES = ("training",)
"""Kinds of runs that start processes of their own on as many nodes as they ask for; others use one of them."""


class Frozen(BaseModel):
    """A value that refuses unknown fields and cannot change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(Frozen):
    """What one run may use. `memory_gib` is enforced on the run and all processes it starts."""

    cpus: int = Field(default=1, ge=1)
    memory_gib: float | None = Field(default=None, gt=0)
    gpus: int = Field(default=0, ge=0)
    gpu_type: str | None = None
    nodes: int = Field(default=1, ge=1)


class JobRun(Frozen):
    """One attempt at a job, as a backend takes it. Two equal names are the same run.

    `entrypoint` is "package.module:function", a plain function that takes one `JobContext`.
    `payload` is the data of the event that asked for the job. `deadline_s` counts from the start.
    `version` is that of engine or harness which must do it, empty where any will do: it chooses the Python
    environment, or on a cluster the image.
    """

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    job_key: str = Field(pattern=r"^[a-z0-9]{16,128}$")
    attempt: int = Field(ge=1)
    entrypoint: Annotated[str, AfterValidator(check_entrypoint)]
    payload: dict[str, Any] = Field(default_factory=dict)
    version: str = Field(default="", max_length=64)
    resources: Resources = Resources()
    deadline_s: float | None = Field(default=None, gt=0)
    labels: Mapping[str, str] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name(self) -> str:
        """The run's name on every backend, derived from what it is."""
        return run_name(self.kind, self.job_key, self.attempt)

    @property
    def machines(self) -> int:
        """How many machines it takes: those asked for where runs of its kind spread over them, else one."""
        return self.resources.nodes if self.kind in OVER_NODES else 1

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `model_dump_json` wrote. Raises pydantic.ValidationError."""
        return cls.model_validate_json(text, extra="ignore")


def run_name(kind: str, job_key: str, attempt: int) -> str:
    """The name of a job's attempt: the same on every backend, at every time."""
    return f"{job_name_of(kind, job_key)}-{attempt}"


def job_name_of(kind: str, job_key: str) -> str:
    """What the names of a job's attempts have before their number."""
    return f"{kind}-{job_key[:KEY_CHARACTERS_IN_NAME]}"


def without_attempt(name: str) -> str:
    """Of a run's name, what all attempts at its job have in common."""
    return name.rpartition("-")[0]


def kind_in(name: str) -> str:
    """The kind that a run's name begins with."""
    return name.partition("-")[0]


def keys_of(name: str) -> tuple[str, str]:
    """By what else a run is found than its name: its job and its kind. Only the former has a dash in it."""
    return without_attempt(name), kind_in(name)


class RunState(StrEnum):
    """Where a run is. The last four are ends; `succeeded` means that it left an outcome."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether the run will never change again."""
        return self in ENDED


ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.LOST})


class Cause(StrEnum):
    """Why a run did not succeed, for a program to decide on; `reason` says it to people."""

    ERROR = "error"  # its code raised, or it left no outcome
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    KILLED = "killed"  # by a signal that the backend did not send
    CANCELLED = "cancelled"
    LOST = "lost"  # its keeper is gone and left no record


class RunStatus(Frozen):
    """What is known of one run at one moment. Times are UTC.

    `progress` is the last record of `JobContext.report_progress`, counted by `progress_sequence`;
    `outcome` is the record of `JobContext.finish`. `log_tail` is filled for ends other than success.
    `heartbeat_at` grows while the run is alive, whether or not it reports progress.
    `reason` of a run that has not started says what it waits for, where the backend knows.
    `shares` is the name of the run that this one is a member of, where several jobs share one.
    `cpu_s` is what all of an ended run's processes took together, where the backend saw them end.
    `error_class` and `retryable` come from the exception that ended the job, where there was one.
    """

    name: str
    run: JobRun
    state: RunState
    pid: int | None = None
    exit_code: int | None = None
    cpu_s: float | None = None
    cause: Cause | None = None
    reason: str | None = None
    error_class: str | None = None
    retryable: bool | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    heartbeat_at: datetime | None = None
    log_tail: str = ""
    progress: dict[str, Any] | None = None
    progress_sequence: int = 0
    shares: str = ""
    outcome: dict[str, Any] | None = None


def of_job(statuses: Iterable[RunStatus], kind: str, job_key: str) -> list[RunStatus]:
    """The runs of one job. Names hold the beginning of its key alone."""
    return [status for status in statuses if (status.run.kind, status.run.job_key) == (kind, job_key)]


def older_attempts(attempts: Iterable[RunStatus], attempt: int) -> list[str]:
    """The names of a job's runs that have not ended and are of an earlier attempt."""
    return [status.name for status in attempts if status.run.attempt < attempt and not status.state.ended]


class ComputeBackend(Protocol):
    """Runs jobs outside the service that asks for them. Every call returns soon and is safe to repeat."""

    async def start(self) -> None:
        """Find the runs of an earlier life. Does not wait for anything to load."""

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        """Call `wake` soon after a run's end, where the backend hears of that by itself. A hint: some are missed."""

    async def submit(self, run: JobRun) -> None:
        """Take a run; a name known already, also of an ended run, changes nothing.

        Raises ResourcesUnavailable when the backend can never give what the run asks for."""

    async def status(self, name: str) -> RunStatus:
        """The run's status now. Raises RunUnknown."""
        ...

    async def cancel(self, name: str) -> None:
        """Ask the run to end (SIGTERM), and end it after the grace period. Unknown or ended: no change."""

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        """Cancel the job's earlier attempts that have not ended; their names."""
        ...

    async def logs(self, name: str, tail: int | None = 100) -> str:
        """The last `tail` lines that the run printed or logged. None: all of them, of a long log its beginning and end
        (`log_excerpt`). Raises RunUnknown."""
        ...

    async def forget(self, name: str) -> None:
        """Drop an ended run and its files; unknown: no change. Raises RunStillActive."""

    async def close(self) -> None:
        """Let go. Runs go on; another backend object on the same root finds them."""

    async def shutdown(self) -> None:
        """Cancel every run that has not ended, wait for their ends, and stop what the backend started."""

    async def names(self, kind: str) -> set[str]:
        """The names of the runs of a kind that `list` would give. Looks at none of them."""
        ...

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        """What `list` would give of one job. Looks at no other run, however many there are."""
        ...

    async def list(self) -> list[RunStatus]:
        """Every run submitted and not yet forgotten, also by an earlier life of the service."""
        ...
