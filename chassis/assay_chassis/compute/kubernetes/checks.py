"""What must be there on the cluster before a job can run: looked at once, when the service starts.
Never creates what is missing; every message names the mend."""

from __future__ import annotations

import structlog

from assay_chassis.clock import Clock
from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured, Forbidden, NotThere
from assay_chassis.compute.kubernetes.manifest import PRIORITIES
from assay_chassis.compute.kubernetes.ray_job import RAY, RAY_JOBS, VERSION
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

NOTICED_SKEW_S, MOST_SKEW_S = 10.0, 300.0
KUEUE = "kueue.x-k8s.io"
MANIFESTS = "deploy/kubernetes"
NEEDED = (
    ("batch", "jobs", "", ("create", "delete", "list", "watch")),
    ("", "pods", "", ("list", "watch")),
    ("", "pods", "log", ("get",)),
    (KUEUE, "workloads", "", ("list", "watch")),
)
WANTED = (("", "events", "", ("list",)),)
"""Without these the logs of what cannot start are poorer, and everything else goes on."""
RAY_JOB_VERBS = ("create", "delete", "list", "watch")
"""What is needed of RayJobs, where there are any."""
log = structlog.get_logger(__name__)


async def check_cluster(api: KubernetesApi, settings: KubernetesSettings, clock: Clock) -> str:
    """The path of Kueue's API, with the version that the cluster prefers.

    Raises ClusterMisconfigured for what is missing, and ClusterUnavailable."""
    if not settings.image:
        mend = "set ASSAY_KUBERNETES_IMAGE to the image that this service itself runs from"
        raise ClusterMisconfigured("no image is set for jobs", mend)
    await _check_clock(api, clock)
    kueue = await _kueue(api)
    await _check_permissions(api, settings)
    for queue in settings.queues:
        await _check_queue(api, settings, kueue, queue)
    for priority in PRIORITIES:
        await _check_priority_class(api, settings.priority_class(priority), kueue)
    return kueue


async def has_ray_jobs(api: KubernetesApi, settings: KubernetesSettings) -> bool:
    """Whether runs on several machines are possible: KubeRay's RayJob is there, and this service may use it.

    Raises ClusterUnavailable."""
    try:
        served = await api.get(f"/apis/{VERSION}")
    except NotThere:
        return False
    if RAY_JOBS not in {resource["name"] for resource in served["resources"]}:
        return False
    wanted = {"namespace": settings.namespace, "group": RAY, "resource": RAY_JOBS}
    return all([await _may(api, {**wanted, "verb": verb}) for verb in RAY_JOB_VERBS])


async def _check_clock(api: KubernetesApi, clock: Clock) -> None:
    """Tokens, certificates and requests to the object store are refused where clocks differ by minutes."""
    asked, server = clock.now(), await api.clock()
    ahead_s = 0.0 if server is None else (asked - server).total_seconds()
    if abs(ahead_s) < NOTICED_SKEW_S:
        return
    problem = f"the clock here is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the API server's"
    mend = "set the clocks of the cluster's nodes right, as by NTP"
    if abs(ahead_s) > MOST_SKEW_S:
        raise ClusterMisconfigured(problem, mend)
    log.warning(f"{problem}: {mend}")


async def _kueue(api: KubernetesApi) -> str:
    try:
        group = await api.get(f"/apis/{KUEUE}")
    except NotThere as error:
        mend = "install Kueue on the cluster (see docs/kubernetes.md), or set ASSAY_BACKEND to local or ray"
        raise ClusterMisconfigured("Kueue is not installed", mend) from error
    return f"/apis/{group['preferredVersion']['groupVersion']}"


async def _check_permissions(api: KubernetesApi, settings: KubernetesSettings) -> None:
    missing = []
    for group, resource, subresource, verbs in NEEDED:
        for verb in verbs:
            wanted = {"namespace": settings.namespace, "verb": verb, "group": group, "resource": resource}
            if not await _may(api, {**wanted, "subresource": subresource}):
                missing.append(f"{verb} {resource}{'/' + subresource if subresource else ''}")
    if missing:
        problem = f"no permission in namespace {settings.namespace} to {', '.join(missing)}"
        mend = f"apply {MANIFESTS}, and run the service as one of the service accounts that it makes"
        raise ClusterMisconfigured(problem, mend)


async def _may(api: KubernetesApi, wanted: Object) -> bool:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    review = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool(review["status"]["allowed"])


async def _check_queue(api: KubernetesApi, settings: KubernetesSettings, kueue: str, name: str) -> None:
    where = f"{kueue}/namespaces/{settings.namespace}/localqueues/{name}"
    problem = f"there is no LocalQueue {name} in namespace {settings.namespace}"
    names = "ASSAY_KUBERNETES_QUEUE, ASSAY_KUBERNETES_OWNER_QUEUES and ASSAY_KUBERNETES_NAMESPACE"
    queue = await _read(
        api, where, f"LocalQueue {name}", problem, f"apply {MANIFESTS}, or set {names} to what is there"
    )
    conditions = queue.get("status", {}).get("conditions", [])
    active = next((each for each in conditions if each["type"] == "Active"), None)
    if active is not None and active["status"] == "False":
        problem = f"LocalQueue {name} takes no work: {active.get('message', '')}"
        raise ClusterMisconfigured(problem, "create its ClusterQueue and that one's ResourceFlavors, or make it active")


async def _check_priority_class(api: KubernetesApi, name: str, kueue: str) -> None:
    mend = f"apply {MANIFESTS}, or set ASSAY_KUBERNETES_PRIORITY_CLASS_PREFIX"
    what = f"WorkloadPriorityClass {name}"
    await _read(api, f"{kueue}/workloadpriorityclasses/{name}", what, f"there is no {what}", mend)


async def _read(api: KubernetesApi, path: str, what: str, problem: str, mend: str) -> Object:
    try:
        return await api.get(path)
    except NotThere as error:
        raise ClusterMisconfigured(problem, mend) from error
    except Forbidden as error:
        mend = f"apply {MANIFESTS}, and run the service as one of the service accounts that it makes"
        raise ClusterMisconfigured(f"no permission to read {what}", mend) from error
