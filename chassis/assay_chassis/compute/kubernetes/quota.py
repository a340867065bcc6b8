"""Whether a queue's quota can ever hold a run, and whether the cluster has the GPU it names.
Pure: reads ClusterQueue and ResourceFlavors as JSON; what is free now is Kueue's affair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.kubernetes.manifest import KEEPER_GIB, RAY_GIB, requested
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

Object = Mapping[str, Any]

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", "P": "1e15"}
FIELDS = {"cpu": "hardware.cpus", "memory": "hardware.memory_gib"}


def quantity(text: str | float) -> Decimal:
    """A Kubernetes quantity such as 500m, 16Gi or 2 as a number. Raises decimal.InvalidOperation."""
    words = str(text)
    if words[-2:] in BINARY:
        return Decimal(words[:-2]) * BINARY[words[-2:]]
    if words[-1:] in DECIMAL:
        return Decimal(words[:-1]) * Decimal(DECIMAL[words[-1:]])
    return Decimal(words)


def most_of(cluster_queue: Object) -> dict[str, Decimal | None]:
    """The most of each resource that one pod can get from the queue; None where it may borrow without limit.

    A pod gets each resource from one flavor. In a cohort a queue may borrow, up to its limit where it has one."""
    spec = cluster_queue["spec"]
    in_cohort = bool(spec.get("cohortName") or spec.get("cohort"))
    most: dict[str, Decimal | None] = {}
    for group in spec.get("resourceGroups", []):
        for flavor in group["flavors"]:
            for resource in flavor["resources"]:
                name, amount = resource["name"], _reach(resource, in_cohort)
                before = most.get(name, Decimal(0))
                most[name] = None if amount is None or before is None else max(before, amount)
    return most


def _reach(resource: Object, in_cohort: bool) -> Decimal | None:
    own, limit = quantity(resource["nominalQuota"]), resource.get("borrowingLimit")
    if not in_cohort:
        return own
    return None if limit is None else own + quantity(limit)


def check_fits(run: JobRun, settings: KubernetesSettings, cluster_queue: Object) -> None:
    """Raises ResourcesUnavailable for a run that the queue's whole quota could not hold.

    Kueue finds one flavor for the first of several machines, and one for all others together."""
    name, most, together = cluster_queue["metadata"]["name"], most_of(cluster_queue), max(1, run.machines - 1)
    queue = settings.queue_of(run)
    for resource, asked in requested(run, settings.gpu_resource).items():
        reach = most.get(resource, Decimal(0))
        if reach is not None and quantity(asked) * together > reach:
            field = FIELDS.get(resource, "hardware.gpus")
            by = f" by {together} of {run.machines} machines" if run.machines > 1 else ""
            raise ResourcesUnavailable(
                field,
                f"{_amount(resource, quantity(asked) * together, run)} asked{by}, queue {queue} can give "
                f"{_amount(resource, reach, run)} at most",
                f"ask for less, or raise the quota for {resource} of ClusterQueue {name}",
            )


def _amount(resource: str, amount: Decimal, run: JobRun) -> str:
    if resource != "memory":
        return f"{amount:f}"
    beside = f"{KEEPER_GIB:g} GiB for what keeps the job"
    if run.machines > 1:
        beside = f"{KEEPER_GIB + RAY_GIB:g} GiB a machine for Ray and what keeps the job"
    return f"{float(amount) / 2**30:g} GiB (with {beside})"


def check_gpu_type(run: JobRun, settings: KubernetesSettings, flavors: Iterable[Object]) -> None:
    """Raises ResourcesUnavailable for a GPU type that no flavor of the queue has.

    Flavors without the label say nothing of their GPUs: then the nodes decide."""
    resources, queue = run.resources, settings.queue_of(run)
    if resources.gpu_type is None or not resources.gpus:
        return
    label = settings.gpu_type_label
    known = {flavor["spec"].get("nodeLabels", {}).get(label) for flavor in flavors}
    if known and None not in known and resources.gpu_type not in known:
        names = ", ".join(sorted(str(name) for name in known))
        raise ResourcesUnavailable(
            "hardware.gpu_type", f"{resources.gpu_type!r} is not in queue {queue}", f"use one of {names}"
        )


def flavors_of(cluster_queue: Object, resource: str) -> list[str]:
    """The names of the flavors that give a resource."""
    groups = cluster_queue["spec"].get("resourceGroups", [])
    return [flavor["name"] for group in groups if resource in group["coveredResources"] for flavor in group["flavors"]]
