"""What spares a control plane work that many Jobs do not ask for, and spends memory to save processor time.
Never changes what becomes of a Job, its pod or its workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

CONTROLLERS = ("job", "garbage-collector", "ttl-after-finished", "namespace", "serviceaccount", "node-lifecycle")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "etcd": (),
    "apiserver": ("--enable-priority-and-fairness=false",),
    "controller-manager": (f"--controllers={','.join(f'{name}-controller' for name in CONTROLLERS)}",),
    "scheduler": (),
    "kueue": (),
}
ENVIRONMENT = {"GOGC": "400", "GOMEMLIMIT": "10GiB"}
FEATURES = {"LocalQueueMetrics": False, "DisableWaitForPodsReady": True}
"""For metrics of LocalQueues Kueue counts all that waits in a queue whenever a workload of it changes; waiting for pods
to be ready is a status written at every workload that waits, before those that were let in get their turn."""


def spared(manifest: Object, frameworks: tuple[str, ...]) -> Object:
    """One of Kueue's manifests, less what costs something with every change of an object: the API server keeps and
    converts a copy for every version that is served, and asks webhooks of integrations that are switched off."""
    if manifest["kind"] == "CustomResourceDefinition":
        for version in manifest["spec"]["versions"]:
            version["served"] = version["storage"]
    if "webhooks" in manifest:
        manifest["webhooks"] = [webhook for webhook in manifest["webhooks"] if _is_asked(webhook, frameworks)]
    return manifest


def _is_asked(webhook: Object, frameworks: tuple[str, ...]) -> bool:
    groups = {group for rule in webhook["rules"] for group in rule["apiGroups"]}
    kinds = {resource for rule in webhook["rules"] for resource in rule["resources"]}
    integrated = {f"{name}s".rpartition("/")[2] for name in frameworks}
    return "kueue.x-k8s.io" in groups or bool(kinds & integrated)
