"""What is kept of an object of the cluster: the fields that are looked at, in a tenth of the memory of the whole.
Pure: never talks to a cluster, and never says what the fields mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

Object = dict[str, Any]

RUN = "assay/run"
"""The label of a run's pods, and the annotation of its Job."""
ROLE = "ray.io/node-type"
"""KubeRay's label of a machine: head or worker."""
METADATA = ("name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
SPEC = ("suspend", "active", "queueName", "nodeName")
STATUS = ("phase", "reason", "message", "jobDeploymentStatus", "jobStatus")
CONDITION = ("type", "status", "reason", "message")
CONTAINER = ("image", "state")


def essence(item: Mapping[str, Any]) -> Object:
    """A Job, RayJob, pod or workload with nothing but what `seeing` reads. Its parts share their keys."""
    metadata, status = item["metadata"], item.get("status") or {}
    kept_metadata = _of(metadata, METADATA)
    kept_metadata["labels"] = _of(metadata.get("labels") or {}, (RUN, ROLE))
    kept_metadata["annotations"] = _of(metadata.get("annotations") or {}, (RUN,))
    kept_metadata["ownerReferences"] = [{"uid": owner["uid"]} for owner in metadata.get("ownerReferences") or ()]
    kept_status = _of(status, STATUS)
    kept_status["conditions"] = [_condition(each) for each in status.get("conditions") or ()]
    kept_status["containerStatuses"] = [_of(each, CONTAINER) for each in status.get("containerStatuses") or ()]
    return {"metadata": kept_metadata, "spec": _of(item.get("spec") or {}, SPEC), "status": kept_status}


def _condition(item: Mapping[str, Any]) -> Object:
    return {name: intern(value) if name != "message" else value for name, value in _of(item, CONDITION).items()}


def _of(item: Mapping[str, Any], names: Iterable[str]) -> Object:
    return {name: item[name] for name in names if name in item}
