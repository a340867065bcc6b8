"""What can go wrong between a service and a compute backend.
Never about the job itself: a job's failure is a `RunStatus`."""

from __future__ import annotations

from assay_chassis.errors import AssayError, Transient


class ComputeError(AssayError):
    """A compute backend could not do what was asked."""


class RunUnknown(ComputeError):
    """No run of that name was submitted, or it was forgotten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"run {name}: unknown here; submit it first, or look under another compute root")
        self.name = name


class RunStillActive(ComputeError):
    """A run that has not ended cannot be forgotten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"run {name}: still active; cancel it and wait for its end before forgetting it")
        self.name = name


class ResourcesUnavailable(ComputeError):
    """The run asks for more than the backend can ever give."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        super().__init__(f"{field}: {problem}; {mend}")
        self.field = field


class EntrypointInvalid(ComputeError):
    """The entrypoint names no function."""

    def __init__(self, entrypoint: str) -> None:
        super().__init__(
            f"entrypoint: {entrypoint!r} names no function of that module; correct the name after the colon"
        )


class BackendUnavailable(ComputeError, Transient):
    """The backend does not exist in this version, or cannot be reached."""

    def __init__(self, backend: str, problem: str, mend: str) -> None:
        super().__init__(f"backend {backend}: {problem}; {mend}")
        self.backend = backend
