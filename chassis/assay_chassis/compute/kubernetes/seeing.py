"""What the objects of one run on the cluster mean: where it is, what it waits for, what ended it.
Pure: reads a Job, its Kueue Workload and its pods as JSON; never talks to a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assay_chassis.compute.base import Cause
from assay_chassis.compute.kubernetes.queueing import (
    NO_REASON,
    Object,
    condition,
    deactivated,
    true_condition,
    waits_in_queue,
)

CANNOT_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
CANNOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
TO_BE_MADE = "let in by Kueue; waits for its pod to be made; if this lasts, the job's log says what the cluster says"
EVICTED_BY_TAINT = "DeletionByTaintManager"


class Place(StrEnum):
    """Where a run is on the cluster."""

    ABSENT = "absent"  # no Job
    WAITING = "waiting"  # in Kueue's queue
    STARTING = "starting"  # let in; its pod does not run yet
    RUNNING = "running"  # its pod runs, or is ending
    ENDED = "ended"  # the Job says so


@dataclass(frozen=True)
class Failure:
    """An end that the run's own records cannot tell. `class_` is for people to search by."""

    class_: str
    message: str
    cause: Cause = Cause.ERROR
    retryable: bool = False


@dataclass(frozen=True)
class Seen:
    """One run on the cluster. `waits_for` says it to people; `blocked` is what ends the run if it lasts,
    `failure` what has ended it already; `pod` is the uid of its newest pod that has not ended."""

    place: Place
    waits_for: str | None = None
    blocked: Failure | None = None
    failure: Failure | None = None
    pod: str | None = None
    pod_name: str | None = None


def see(job: Object | None, workload: Object | None, pods: Sequence[Object]) -> Seen:
    """Where the run of these objects is. Kueue's view counts until its Job has a pod."""
    pod = newest(pods)
    name = pod["metadata"]["name"] if pod else None
    if job is None:
        return Seen(Place.RUNNING if living(pod) else Place.ABSENT, pod=uid_of(pod), pod_name=name)
    end = true_condition(job, ("Complete", "Failed"))
    if end is not None:
        return Seen(Place.ENDED, failure=_why_failed(end, pod), pod_name=name)
    if living(pod):
        return see_pod(pod)
    if workload is not None and not workload["spec"].get("active", True):
        failure = Failure("deactivated", deactivated(workload))
        return Seen(Place.WAITING, failure=failure, waits_for=failure.message)
    if job["spec"].get("suspend"):
        return Seen(Place.WAITING, waits_in_queue(workload), pod_name=name)
    return Seen(Place.STARTING, TO_BE_MADE, pod_name=name)


def see_pod(pod: Any) -> Seen:
    uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
    if pod["status"].get("phase") == "Running" or "deletionTimestamp" in pod["metadata"]:
        return Seen(Place.RUNNING, _lost_node(pod), pod=uid, pod_name=name)
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled["status"] == "False":
        words = f"let in by Kueue, and no node takes it: {scheduled.get('message', NO_REASON)}"
        return Seen(Place.STARTING, f"{words}; add such a node, or ask for less hardware", pod=uid, pod_name=name)
    blocked = _blocked(pod)
    words = blocked.message if blocked else "its pod starts: the image is pulled"
    return Seen(Place.STARTING, words, blocked=blocked, pod=uid, pod_name=name)


def _lost_node(pod: Any) -> str | None:
    """What keeps a pod that was evicted from a lost node from ending: nobody is there to end it."""
    disrupted = condition(pod, "DisruptionTarget")
    if disrupted is None or disrupted.get("reason") != EVICTED_BY_TAINT:
        return None
    node = pod["spec"].get("nodeName", "")
    words = f"its node {node} does not answer or is being taken out of service"
    return f"{words}; it goes on in another pod once this one is gone: if this lasts, delete node {node}"


def _blocked(pod: Object) -> Failure | None:
    """What keeps a pod that has a node from starting."""
    for status in pod["status"].get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting") or {}
        reason, words = waiting.get("reason"), waiting.get("message", NO_REASON)
        if reason in CANNOT_PULL:
            mend = "correct ASSAY_KUBERNETES_IMAGE, or set ASSAY_KUBERNETES_IMAGE_PULL_SECRETS"
            return Failure("image", f"its image {status['image']} cannot be pulled ({reason}): {words}; {mend}")
        if reason in CANNOT_START:
            mend = "create what is missing, or correct ASSAY_KUBERNETES_ENV_FROM"
            return Failure("pod", f"its pod cannot start ({reason}): {words}; {mend}")
    return None


def _why_failed(condition: Object, pod: Object | None) -> Failure:
    """The end of a Job whose pod left no last record."""
    reason, message = condition.get("reason"), condition.get("message", NO_REASON)
    terminated = _terminated(pod)
    if reason == "DeadlineExceeded":
        return Failure("timeout", "ran past its deadline, and the cluster ended it", Cause.TIMEOUT)
    if terminated.get("reason") == "OOMKilled":
        words = "out of memory: the node ended its pod, with what keeps the job"
        return Failure("out_of_memory", words, Cause.OUT_OF_MEMORY)
    code = terminated.get("exitCode")
    if code is None:
        return Failure("killed", f"its pod is gone and left no record ({reason}: {message})", Cause.KILLED, True)
    if code in (137, 143):
        words = f"its pod was killed (exit code {code}) before it could store its records"
        return Failure("killed", words, Cause.KILLED, True)
    words = " ".join(str(terminated.get("message") or NO_REASON).splitlines()[-1:])
    return Failure("pod", f"its pod exited with code {code} and left no record: {words}".rstrip(": "), retryable=True)


def _terminated(pod: Object | None) -> Mapping[str, Any]:
    for status in (pod or {}).get("status", {}).get("containerStatuses", []):
        found: Mapping[str, Any] = status.get("state", {}).get("terminated") or {}
        return found
    return {}


def newest(pods: Iterable[Object]) -> Any:
    """The pod that counts: a living one before ended ones, then the last made."""
    return max(pods, key=lambda pod: (living(pod), pod["metadata"]["creationTimestamp"]), default=None)


def living(pod: Object | None) -> bool:
    return pod is not None and pod["status"].get("phase") not in ("Succeeded", "Failed")


def uid_of(pod: Object | None) -> str | None:
    return str(pod["metadata"]["uid"]) if pod is not None and living(pod) else None
