"""What the objects of a run over several machines mean: its RayJob, Workload and the pods of its Ray cluster.
Pure: reads them as JSON, in the words that `seeing` has for one pod; never talks to a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay_chassis.compute.base import Cause
from assay_chassis.compute.kubernetes.essence import ROLE
from assay_chassis.compute.kubernetes.queueing import NO_REASON, Object, deactivated, waits_in_queue
from assay_chassis.compute.kubernetes.seeing import Failure, Place, Seen, living, newest, see_pod, uid_of

NOT_TAKEN_IN = "check that Kueue's controller runs, with ray.io/rayjob among its integrations"
MADE_BY_KUBERAY = "let in by Kueue; waits for KubeRay to make its machines; if this lasts, check that its operator runs"
STARTING = "its machines run; waits for Ray to be given the job"


def are_machines(pods: Sequence[Object]) -> bool:
    """Whether these are pods of a Ray cluster."""
    return any(ROLE in pod["metadata"].get("labels", {}) for pod in pods)


def see_machines(job: Object | None, workload: Object | None, pods: Sequence[Object]) -> Seen:
    """Where the run of these objects is. It runs where its first machine does."""
    first = newest([pod for pod in pods if pod["metadata"]["labels"].get(ROLE) == "head"])
    name = first["metadata"]["name"] if first else None
    if job is None:
        return Seen(Place.RUNNING if living(first) else Place.ABSENT, pod=uid_of(first), pod_name=name)
    status = job.get("status") or {}
    stage = status.get("jobDeploymentStatus", "")
    if stage == "ValidationFailed":
        failure = Failure("ray_job", f"KubeRay refuses its RayJob: {status.get('message', NO_REASON)}")
        return Seen(Place.WAITING, failure=failure, waits_for=failure.message)
    if stage in ("Complete", "Failed"):
        return Seen(Place.ENDED, failure=_why_ended(status), pod_name=name)
    if living(first):
        return _see_pods(first, pods, status)
    if workload is not None and not workload["spec"].get("active", True):
        failure = Failure("deactivated", deactivated(workload))
        return Seen(Place.WAITING, failure=failure, waits_for=failure.message)
    if job["spec"].get("suspend"):
        return Seen(Place.WAITING, waits_in_queue(workload, NOT_TAKEN_IN), pod_name=name)
    return Seen(Place.STARTING, MADE_BY_KUBERAY, pod_name=name)


def _see_pods(first: Object, pods: Sequence[Object], status: Object) -> Seen:
    seen = see_pod(first)
    if seen.place is not Place.RUNNING:
        return seen
    others = (see_pod(pod) for pod in pods if pod is not first and living(pod))
    late = next((other for other in others if other.place is Place.STARTING), None)
    if late is not None:
        return replace(seen, waits_for=f"a machine of it is not there yet: {late.waits_for}", blocked=late.blocked)
    was_given = status.get("jobStatus") in ("PENDING", "RUNNING")
    return seen if was_given or seen.waits_for else replace(seen, waits_for=STARTING)


def _why_ended(status: Object) -> Failure:
    """The end of a RayJob whose entrypoint left no last record."""
    reason, message = status.get("reason", ""), str(status.get("message") or NO_REASON)
    if reason == "DeadlineExceeded":
        return Failure("timeout", "ran past its deadline, and the cluster ended it", Cause.TIMEOUT)
    words = " ".join(message.strip().splitlines()[-1:])
    said = ": ".join(part for part in (reason, words) if part)
    return Failure("killed", f"its Ray job ended and left no record ({said})", Cause.KILLED, True)
