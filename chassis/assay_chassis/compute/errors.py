"""What can go wrong between a service and a compute backend.
Never about the job itself: a job's failure is a `RunStatus`."""

from __future__ import annotations

from assay_chassis.errors import AssayError, Permanent, Transient


class ComputeError(AssayError):
    """A compute backend could not do what was asked."""


class RunUnknown(ComputeError, Permanent):
    """No run of that name was submitted, or it was forgotten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"run {name}: unknown here; submit it first, or look under another compute root")
        self.name = name


class RunStillActive(ComputeError, Permanent):
    """A run that has not ended cannot be forgotten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"run {name}: still active; cancel it and wait for its end before forgetting it")
        self.name = name


class ResourcesUnavailable(ComputeError, Permanent):
    """The run asks for more than the backend can ever give."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        super().__init__(f"{field}: {problem}; {mend}")
        self.field = field


class EntrypointInvalid(ComputeError, Permanent):
    """The entrypoint names no function."""

    def __init__(self, entrypoint: str) -> None:
        super().__init__(
            f"entrypoint: {entrypoint!r} names no function of that module; correct the name after the colon"
        )


class BackendUnavailable(ComputeError, Transient):
    """The backend cannot be reached now."""

    def __init__(self, backend: str, problem: str, mend: str) -> None:
        super().__init__(f"backend {backend}: {problem}; {mend}")
