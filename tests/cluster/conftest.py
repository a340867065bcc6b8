"""A real control plane for the session, and for each test a namespace set up as `deploy/kubernetes` sets it up.
Nothing starts until a test asks; the first ever start builds the programs, for 10 to 15 minutes."""

import itertools
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTRACT = ROOT / "tests" / "chassis" / "compute"
for folder in (HERE, CONTRACT):
    sys.path.insert(0, str(folder))

import binaries  # noqa: E402
from assay_chassis.compute.kubernetes.backend import KubernetesBackend  # noqa: E402
from assay_chassis.compute.kubernetes.settings import KubernetesSettings  # noqa: E402
from assay_chassis.object_store import FileStore  # noqa: E402
from contract_bench import Bench  # noqa: E402
from control_plane import ControlPlane  # noqa: E402

NUMBERS = itertools.count(1)
OF_A_NAMESPACE = ("ServiceAccount", "Role", "RoleBinding", "LocalQueue", "ClusterQueue", "ClusterRoleBinding")
OF_THE_CLUSTER = ("ClusterRole", "ResourceFlavor", "WorkloadPriorityClass")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, API server, controllers, scheduler, Kueue and one node; everything shipped for the whole cluster."""
    if reason := binaries.why_unavailable():
        pytest.skip(f"a control plane cannot be had here: {reason}")
    plane = ControlPlane(binaries.build(), tmp_path_factory.mktemp("cluster"))
    try:
        plane.start()
        plane.apply(*(item for item in shipped(plane) if item["kind"] in OF_THE_CLUSTER))
        yield plane
    finally:
        plane.stop()


def shipped(plane: ControlPlane) -> list[dict[str, Any]]:
    """The objects of `deploy/kubernetes`."""
    return [item for item in yaml.safe_load_all(plane.kubectl("kustomize", str(ROOT / "deploy/kubernetes"))) if item]


@dataclass
class Team:
    """A namespace with the shipped accounts, and a queue of its own. Its quota is the test's to choose."""

    plane: ControlPlane
    namespace: str

    def set_quota(self, cpu: int, **spec: Any) -> None:
        """The ClusterQueue, with that many CPUs."""
        resources = {"cpu": str(cpu), "memory": "1Ti", "nvidia.com/gpu": "4"}
        flavors = [{"name": "assay-any", "resources": [{"name": n, "nominalQuota": q} for n, q in resources.items()]}]
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

    def settings(self, account: str = "assay-trainer", **more: Any) -> KubernetesSettings:
        given = {
            "namespace": self.namespace,
            "kubeconfig": self.plane.account(self.namespace, account),
            "image": "assay-trainer:test",
            **more,
        }
        return KubernetesSettings(**given)

    def objects(self, kind: str) -> list[Any]:
        found: list[Any] = self.plane.read(kind, "-n", self.namespace)["items"]
        return found


@pytest.fixture
def team(control_plane: ControlPlane) -> Iterator[Team]:
    """A new namespace with everything shipped for one."""
    team = Team(control_plane, f"team-{next(NUMBERS)}")
    control_plane.kubectl("create", "namespace", team.namespace)
    items = [item for item in shipped(control_plane) if item["kind"] in OF_A_NAMESPACE]
    control_plane.apply(*(_moved(item, team.namespace) for item in items))
    team.set_quota(cpu=16)
    yield team
    control_plane.kubectl("delete", "namespace", team.namespace, "--wait=false")


def _moved(item: dict[str, Any], namespace: str) -> dict[str, Any]:
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


class ClusterBench(Bench):
    """The contract suite's bench, on a team's namespace. Runs lie in a store of files under its root."""

    def __init__(self, root: Path, settings: KubernetesSettings) -> None:
        super().__init__(root, "kubernetes")
        self.settings = settings

    def _build(self, options: dict[str, Any]) -> KubernetesBackend:
        given = {"grace_s": 0.5, "refresh_s": 0.1, "environment": {"PYTHONPATH": str(CONTRACT)}, **options}
        return KubernetesBackend(given.pop("settings", self.settings), "trainer", FileStore(self.root), **given)


@pytest.fixture
async def bench(team: Team, tmp_path: Path) -> AsyncIterator[ClusterBench]:
    """The backend as the shipped account of the trainer."""
    bench = ClusterBench(tmp_path / "store", team.settings())
    yield bench
    await bench.close()


@pytest.fixture
async def process_bench(bench: ClusterBench) -> ClusterBench:
    return bench
