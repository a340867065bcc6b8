"""What can go wrong between a service and the cluster's API server.
Never about a job itself: that is a `RunStatus`."""

from __future__ import annotations

from assay_chassis.compute.errors import BackendUnavailable, ComputeError
from assay_chassis.errors import Misconfigured


class ClusterMisconfigured(ComputeError, Misconfigured):
    """The cluster lacks something that the backend cannot do without."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"backend kubernetes: {problem}; {mend}")


class ClusterUnavailable(BackendUnavailable):
    """The API server cannot be reached, or does not do what is asked now."""

    def __init__(self, problem: str, mend: str = "it is tried again; check the API server if this lasts") -> None:
        super().__init__("kubernetes", problem, mend)


class Refusal(ClusterUnavailable):
    """The API server answered with an HTTP status that says no. `code` is that status."""

    mend = "it is tried again; check the API server if this lasts"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the API server answered {code}: {message}", self.mend)
        self.code = code
        self.message = message


class Unauthorized(Refusal):
    """The service's credentials are not, or no longer, those of anybody."""

    mend = (
        "it is tried again; its service account or the namespace of it was deleted, its token ended, or clocks differ: "
        "apply deploy/kubernetes and start the service again, or renew the file in ASSAY_KUBERNETES_KUBECONFIG"
    )


class InternalTrouble(Refusal):
    """The API server, or a webhook that it asks, cannot do it now."""

    mend = "it is tried again; if this lasts, check that Kueue's controller runs, whose webhook is asked for each job"


class NotThere(Refusal):
    """There is no such object, or no such kind of object."""


class Forbidden(Refusal):
    """The service account may not do this."""


class Conflict(Refusal):
    """The object is there already."""


class Gone(Refusal):
    """The resource version is too old to watch from: list again."""


class Unprocessable(Refusal):
    """The object can never be taken as it is."""


BY_CODE: dict[int, type[Refusal]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotThere,
    409: Conflict,
    410: Gone,
    422: Unprocessable,
    500: InternalTrouble,
}


def refusal(code: int, message: str) -> Refusal:
    """The error of an HTTP status."""
    return BY_CODE.get(code, Refusal)(code, message)
