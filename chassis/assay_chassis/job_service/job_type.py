"""One kind of job as data: its models, and the function that does it.
Never names a topic of its own: those come from the schemas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay_schemas.events import COMPLETION_TOPIC, REQUEST_TOPIC, JobCompleted
from assay_schemas.ids import JobKind
from assay_schemas.jobs import JobRequest
from assay_schemas.results import Manifest

Inline = Callable[[JobRequest], Awaitable[Manifest]]


@dataclass(frozen=True)
class JobType:
    """A kind of job: `entrypoint` or `inline` says how it is done; with both, `is_quick` says which for a request.

    `entrypoint` ("package.module:function") runs on the compute backend and writes its manifest last.
    `inline` returns the manifest itself; it is for work of milliseconds and raises JobFailed.
    `version_of` says which version of engine or harness must do a request; empty: any.
    Requests for which `company` gives the same text may share one run, which `shared_entrypoint` does; "" is alone.
    """

    kind: JobKind
    request: type[JobRequest]
    manifest: type[Manifest]
    completed: type[JobCompleted]
    entrypoint: str = ""
    inline: Inline | None = None
    version_of: Callable[[JobRequest], str] = lambda _: ""
    is_quick: Callable[[JobRequest], bool] = lambda _: True
    shared_entrypoint: str = ""
    company: Callable[[JobRequest], str] = lambda _: ""

    def inline_for(self, request: JobRequest) -> Inline | None:
        """What answers this request on the spot; None where it is work for the backend."""
        return self.inline if self.inline is not None and self.is_quick(request) else None

    @property
    def request_topic(self) -> str:
        return REQUEST_TOPIC[self.kind]

    @property
    def completion_topic(self) -> str:
        return COMPLETION_TOPIC[self.kind]
