"""From a run over several machines to the RayJob that does it: KubeRay starts a Ray cluster of its own for it.
Pure: equal runs give equal manifests; never talks to a cluster."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.kubernetes.manifest import (
    MARGIN_S,
    POD_MODULE,
    SCRATCH,
    TOGETHER,
    TOPOLOGY,
    Manifest,
    deadline,
    metadata,
    pod_template,
)
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

RAY = "ray.io"
RAY_JOBS = "rayjobs"
VERSION = f"{RAY}/v1"
GROUP = "machines"
"""The name of all machines but the first."""
PREFERRED = "preferred:"
OBJECT_STORE_BYTES = 256 * 2**20
"""What travels between the processes goes through their own collectives and the shared folder, not through Ray."""
PID = "pid"
"""The file in the shared folder that is there while the run's pod module works, with its process."""
WAIT = f'while [ -e "$ASSAY_RUN_SCRATCH/{PID}" ]; do sleep 0.2; done'
ASK = f'[ -e "$ASSAY_RUN_SCRATCH/{PID}" ] && kill -TERM "$(cat "$ASSAY_RUN_SCRATCH/{PID}")"; {WAIT}'


def check_machines(run: JobRun, settings: KubernetesSettings) -> None:
    """Raises ResourcesUnavailable for several machines that share no folder."""
    if run.machines > 1 and not settings.shared_claim:
        raise ResourcesUnavailable(
            "hardware.nodes",
            f"{run.machines} asked, and no folder is known that the machines of one job share",
            "set ASSAY_KUBERNETES_SHARED_CLAIM to a ReadWriteMany PersistentVolumeClaim, or hardware.nodes to 1",
        )


def ray_job_manifest(
    run: JobRun, service: str, settings: KubernetesSettings, environment: Mapping[str, str], grace_s: float
) -> Manifest:
    """The suspended RayJob of a run: Kueue takes the suspension away when there is quota for all its machines.

    The first machine executes what a Job's pod would, as the entrypoint of a Ray job. KubeRay ends no
    entrypoint before it deletes a cluster, so each pod does by itself: the first passes the wish on and
    waits, and the others wait for it."""
    # Ray's own end of an entrypoint must be as patient as the pod's.
    patience = {"RAY_JOB_STOP_WAIT_TIME_S": str(math.ceil(grace_s) + MARGIN_S), "RAY_USAGE_STATS_ENABLED": "0"}
    template = pod_template(run, service, settings, {**environment, **patience}, grace_s)
    started = _start_parameters(run)
    others = run.machines - 1
    return {
        "apiVersion": VERSION,
        "kind": "RayJob",
        "metadata": metadata(run, service, settings),
        "spec": {
            "suspend": True,
            "submissionMode": "HTTPMode",
            "entrypoint": f"python -m {POD_MODULE}",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 0,
            "backoffLimit": 0,
            **deadline(run),
            "rayClusterSpec": {
                "rayVersion": settings.ray_version,
                "authOptions": {"mode": "token"},
                "headGroupSpec": {"rayStartParams": started, "template": _machine(template, run, settings, ASK)},
                "workerGroupSpecs": [
                    {
                        "groupName": GROUP,
                        "replicas": others,
                        "minReplicas": others,
                        "maxReplicas": others,
                        "rayStartParams": dict(started),
                        "template": _machine(template, run, settings, WAIT),
                    }
                ],
            },
        },
    }


def _start_parameters(run: JobRun) -> dict[str, str]:
    """What Ray may give out on each machine: what the run asked for, without what Ray takes itself."""
    resources = run.resources
    found = {"num-cpus": str(resources.cpus), "object-store-memory": str(OBJECT_STORE_BYTES)}
    if resources.memory_gib is not None:
        found["memory"] = str(math.ceil(resources.memory_gib * 2**30))
    return found | {"num-gpus": str(resources.gpus)}


def _side_by_side(topology: str) -> dict[str, str]:
    """What asks Kueue for machines that share a node label's value, or for that where there is room."""
    label = topology.removeprefix(PREFERRED)
    kind = "preferred" if topology.startswith(PREFERRED) else "required"
    return {TOPOLOGY.format(kind): label, TOGETHER: GROUP}


def _machine(template: Manifest, run: JobRun, settings: KubernetesSettings, before_its_end: str) -> Manifest:
    """A pod of the cluster: KubeRay writes its command, and its scratch is the folder that all of them see."""
    machine = copy.deepcopy(template)
    if settings.topology:
        machine["metadata"]["annotations"] = _side_by_side(settings.topology)
    container = machine["spec"]["containers"][0]
    del container["command"]
    container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sh", "-c", before_its_end]}}}
    for mount in container["volumeMounts"]:
        if mount["mountPath"] == SCRATCH:
            mount["subPath"] = f"runs/{run.name}"
    for volume in machine["spec"]["volumes"]:
        if volume["name"] == "scratch":
            del volume["emptyDir"]
            volume["persistentVolumeClaim"] = {"claimName": settings.shared_claim}
    return machine
