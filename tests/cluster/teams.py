"""A team's namespace on the cluster, set up as `deploy/kubernetes` sets it up, and the backend's bench on it.
Never shares a queue between two teams."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.object_store import FileStore
from contract_bench import HERE as CONTRACT
from contract_bench import Bench
from control_plane import ControlPlane

ROOT = Path(__file__).parents[2]
OF_A_NAMESPACE = ("ServiceAccount", "Role", "RoleBinding", "LocalQueue", "ClusterQueue", "ClusterRoleBinding")
OF_THE_CLUSTER = ("ClusterRole", "ResourceFlavor", "WorkloadPriorityClass")


@cache
def shipped(plane: ControlPlane) -> list[dict[str, Any]]:
    """The objects of `deploy/kubernetes`, read once."""
    return [item for item in yaml.safe_load_all(plane.kubectl("kustomize", str(ROOT / "deploy/kubernetes"))) if item]


@dataclass
class Team:
    """A namespace with the shipped accounts, and a queue of its own. Its quota is the test's to choose."""

    plane: ControlPlane
    namespace: str

    def set_quota(self, cpu: int, flavor: str = "assay-any", borrow: int | None = None, **spec: Any) -> None:
        """The ClusterQueue, with that many CPUs, and what it may borrow of each resource."""
        limit = {} if borrow is None else {"borrowingLimit": str(borrow)}
        resources = {"cpu": str(cpu), "memory": "1Ti", "nvidia.com/gpu": "4"}
        amounts = [{"name": name, "nominalQuota": amount, **limit} for name, amount in resources.items()]
        flavors = [{"name": flavor, "resources": amounts}]
        self.plane.apply(
            {
                "apiVersion": "kueue.x-k8s.io/v1beta2",
                "kind": "ClusterQueue",
                "metadata": {"name": self.namespace},
                "spec": {
                    "namespaceSelector": {},
                    "preemption": {"withinClusterQueue": "LowerPriority"},
                    "resourceGroups": [{"coveredResources": list(resources), "flavors": flavors}],
                    **spec,
                },
            }
        )

    def set_flavor(self, name: str, node_labels: dict[str, str], **spec: Any) -> None:
        flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": name}}
        self.plane.apply({**flavor, "spec": {"nodeLabels": node_labels, **spec}})

    def settings(self, account: str = "assay-trainer", **more: Any) -> KubernetesSettings:
        given = {
            "namespace": self.namespace,
            "kubeconfig": self.plane.account(self.namespace, account),
            "image": "assay-trainer:test",
            **more,
        }
        return KubernetesSettings(**given)

    def system_environment(self, **more: str) -> dict[str, str]:
        """For the services of a whole system whose jobs run here."""
        settings = self.settings()
        return {
            "ASSAY_BACKEND": "kubernetes",
            "ASSAY_KUBERNETES_KUBECONFIG": str(settings.kubeconfig),
            "ASSAY_KUBERNETES_NAMESPACE": settings.namespace,
            "ASSAY_KUBERNETES_IMAGE": settings.image,
            "OMP_NUM_THREADS": "1",
            **more,
        }

    def objects(self, kind: str) -> list[Any]:
        found: list[Any] = self.plane.read(kind, "-n", self.namespace)["items"]
        return found


def moved(item: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A shipped object, for another namespace and a queue named after it."""
    metadata = dict(item["metadata"])
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    else:
        metadata["name"] = namespace
    moved = {**item, "metadata": metadata}
    if item["kind"] == "LocalQueue":
        moved["spec"] = {"clusterQueue": namespace}
    if "subjects" in item:
        moved["subjects"] = [{**subject, "namespace": namespace} for subject in item["subjects"]]
    return moved


@contextmanager
def new_team(plane: ControlPlane, namespace: str) -> Iterator[Team]:
    """A new namespace with everything shipped for one, and what is shipped for the cluster."""
    team, items = Team(plane, namespace), shipped(plane)
    plane.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *(item for item in items if item["kind"] in OF_THE_CLUSTER),
        *(moved(item, namespace) for item in items if item["kind"] in OF_A_NAMESPACE),
    )
    team.set_quota(cpu=16)
    yield team
    plane.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")


class ClusterBench(Bench):
    """The contract suite's bench, on a team's namespace. Runs lie in a store of files under its root."""

    def __init__(self, root: Path, settings: KubernetesSettings) -> None:
        super().__init__(root, "kubernetes")
        self.settings = settings

    def _build(self, options: dict[str, Any]) -> KubernetesBackend:
        given = {"grace_s": 0.5, "refresh_s": 0.1, "environment": {"PYTHONPATH": str(CONTRACT)}, **options}
        return KubernetesBackend(given.pop("settings", self.settings), "trainer", FileStore(self.root), **given)


def load_system_tests() -> Any:
    """The conftest of the tests on whole systems, for what starts one."""
    path = ROOT / "tests" / "system" / "conftest.py"
    spec = importlib.util.spec_from_file_location("system_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def training_results(store: Path) -> list[dict[str, Any]]:
    """The manifests of trainings in an object store of files."""
    manifests = [json.loads(path.read_text()) for path in store.glob("results/*/*/manifest.json")]
    return [manifest for manifest in manifests if manifest["kind"] == "training"]
