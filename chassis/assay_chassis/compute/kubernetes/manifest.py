"""From a run to the Kubernetes Job that does it.
Pure: equal runs give equal manifests; never talks to a cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from assay_chassis.compute.base import JobRun, Resources
from assay_chassis.compute.kubernetes.essence import RUN
from assay_chassis.compute.kubernetes.settings import KINDS_OF_SOURCE, KubernetesSettings

Manifest = dict[str, Any]

QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY_CLASS = "kueue.x-k8s.io/priority-class"
TOPOLOGY = "kueue.x-k8s.io/podset-{}-topology"
TOGETHER = "kueue.x-k8s.io/podset-group-name"
"""The first machine of a run and the others are groups of their own to Kueue; this makes them one for the topology."""
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
CONTAINER = "job"
POD_MODULE = "assay_chassis.compute.kubernetes.pod"
SCRATCH = "/scratch"
FILES = "/etc/assay"
"""Where files that settings name lie, in jobs as in services."""
KINDS_OF_FILES = {"secret": "secret", "configmap": "configMap"}
INTERRUPTED_CODE = 143
"""How a pod that was asked to end before its job was done exits: Kubernetes then starts another one."""
KEEPER_GIB = 0.25
"""Memory of what keeps the job in its pod, on top of the job's own limit: the keeper sees the limit passed first."""
RAY_GIB = 1.5
"""Memory of Ray's own processes on each machine of a run that has several."""
MARGIN_S = 20
"""From the end of a job's grace period to the end of its pod's: time to store the last records."""
DEADLINE_MARGIN_S = 300
"""The cluster's own deadline comes after the keeper's, for when the keeper cannot act."""
PRIORITIES = ("LOW", "MED", "HIGH")
USER = 10001
LABEL_LENGTH = 63


def job_name(name: str) -> str:
    """A run's name as the name of its Job."""
    return name.replace("_", "-")


def owner_labels(service: str) -> dict[str, str]:
    """What every Job and pod of a service's runs carries; the service's view is all that carries it."""
    return {MANAGED_BY: "assay", COMPONENT: service}


def selector(service: str) -> str:
    return ",".join(f"{name}={value}" for name, value in owner_labels(service).items())


def job_manifest(
    run: JobRun, service: str, settings: KubernetesSettings, environment: Mapping[str, str], grace_s: float
) -> Manifest:
    """The suspended Job of a run: Kueue takes the suspension away when there is quota.

    One pod at a time. It is started anew after an eviction, a preemption or a lost node, without
    counting as a failure; any failure of the job itself ends the Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(run, service, settings),
        "spec": {
            "suspend": True,
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _not_failures()},
            "ttlSecondsAfterFinished": settings.ttl_s,
            **deadline(run),
            "template": pod_template(run, service, settings, environment, grace_s),
        },
    }


def metadata(run: JobRun, service: str, settings: KubernetesSettings) -> Manifest:
    """What names a run's object, says whose it is, and gives it to Kueue."""
    return {
        "name": job_name(run.name),
        "namespace": settings.namespace,
        "labels": {
            **_labels(run, service),
            QUEUE: settings.queue_of(run),
            PRIORITY_CLASS: settings.priority_class(run.labels.get("priority", "MED")),
        },
        "annotations": {"assay/job-key": run.job_key, "assay/entrypoint": run.entrypoint, RUN: run.name},
    }


def _labels(run: JobRun, service: str) -> dict[str, str]:
    return {**owner_labels(service), RUN: job_name(run.name), **_run_labels(run)}


def _not_failures() -> list[Manifest]:
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {
            "action": "Ignore",
            "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [INTERRUPTED_CODE]},
        },
    ]


def deadline(run: JobRun) -> Manifest:
    """The cluster's own deadline, where the run has one."""
    return {"activeDeadlineSeconds": math.ceil(run.deadline_s) + DEADLINE_MARGIN_S} if run.deadline_s else {}


def _run_labels(run: JobRun) -> dict[str, str]:
    own = {"kind": run.kind, "job-key": run.job_key, "attempt": str(run.attempt)}
    values = {f"assay/{label_value(name)}": label_value(value) for name, value in {**run.labels, **own}.items()}
    return {name: value for name, value in values.items() if value}


def label_value(text: str) -> str:
    """The text as Kubernetes takes it in a label: letters, digits, - _ . inside, 63 characters at most."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:LABEL_LENGTH].strip("-_.")


def pod_template(
    run: JobRun, service: str, settings: KubernetesSettings, environment: Mapping[str, str], grace_s: float
) -> Manifest:
    """The pod that executes a run, or that is one of its machines."""
    spec = _pod(run, service, settings, environment, grace_s)
    return {"metadata": {"labels": _labels(run, service)}, "spec": spec}


def _pod(
    run: JobRun, service: str, settings: KubernetesSettings, environment: Mapping[str, str], grace_s: float
) -> Manifest:
    own = {
        **environment,
        "ASSAY_RUN": run.name,
        "ASSAY_RUN_SERVICE": service,
        "ASSAY_RUN_GRACE_S": f"{grace_s:g}",
        "ASSAY_RUN_SCRATCH": SCRATCH,
        "HOME": SCRATCH,
    }
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(grace_s) + MARGIN_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
            *_files(settings),
        ],
        "containers": [_container(run, settings, own)],
        **_node_selector(run.resources, settings),
    }
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return pod


def _container(run: JobRun, settings: KubernetesSettings, environment: Mapping[str, str]) -> Manifest:
    amounts = requested(run, settings.gpu_resource)
    return {
        "name": CONTAINER,
        "image": settings.image,
        "command": ["python", "-m", POD_MODULE],
        "env": [
            *({"name": name, "value": value} for name, value in sorted(environment.items())),
            {"name": "ASSAY_RUN_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ],
        "envFrom": [_source(entry) for entry in settings.env_from],
        "resources": {"requests": amounts, "limits": {name: amounts[name] for name in amounts if name != "cpu"}},
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
            *({"name": volume["name"], "mountPath": FILES, "readOnly": True} for volume in _files(settings)),
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def requested(run: JobRun, gpu_resource: str) -> dict[str, str]:
    """The amounts that each machine of a run asks for, as Kubernetes writes them."""
    resources, beside_gib = run.resources, KEEPER_GIB + (RAY_GIB if run.machines > 1 else 0.0)
    amounts = {"cpu": str(resources.cpus)}
    if resources.memory_gib is not None:
        amounts["memory"] = f"{math.ceil((resources.memory_gib + beside_gib) * 1024)}Mi"
    if resources.gpus:
        amounts[gpu_resource] = str(resources.gpus)
    return amounts


def _node_selector(resources: Resources, settings: KubernetesSettings) -> Manifest:
    if resources.gpu_type is None or not resources.gpus:
        return {}
    return {"nodeSelector": {settings.gpu_type_label: resources.gpu_type}}


def _files(settings: KubernetesSettings) -> list[Manifest]:
    """One volume with the files of all sources, where there are sources; one that is missing holds no job back."""
    entries = [entry.partition(":") for entry in settings.files_from]
    sources = [{KINDS_OF_FILES[kind]: {"name": name, "optional": True}} for kind, _, name in entries]
    return [{"name": "files", "projected": {"sources": sources}}] if sources else []


def _source(entry: str) -> Manifest:
    kind, _, name = entry.partition(":")
    return {KINDS_OF_SOURCE[kind]: {"name": name}}
