"""A real control plane for the session, with a namespace for each test as `deploy/kubernetes` makes it, or a stand-in.
Collects little unless ASSAY_TEST_KUBERNETES is `stand-in` or `control-plane`, whose programs are built first."""

import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "chassis/compute/kubernetes", HERE.parent / "chassis/compute"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import binaries  # noqa: E402
from assay_chassis.compute.kubernetes.settings import KubernetesSettings  # noqa: E402
from control_plane import ControlPlane  # noqa: E402
from stand_in import stand_in  # noqa: E402
from teams import ClusterBench, Team, new_team  # noqa: E402

NUMBERS = itertools.count(1)
WHERE = os.environ.get("ASSAY_TEST_KUBERNETES", "")
REAL_ONLY = ["test_interruption.py", "test_kueue.py", "test_machines.py", "test_sharing.py", "test_trouble.py"]
NEEDS_A_CLUSTER = [*REAL_ONLY, "test_backend_contract.py", "test_experiment.py"]
collect_ignore_glob = {"": NEEDS_A_CLUSTER, "stand-in": REAL_ONLY}.get(WHERE, [])


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, API server, controllers, scheduler, Kueue and one node; everything shipped for the whole cluster."""
    if reason := binaries.why_unavailable():
        pytest.skip(f"a control plane cannot be had here: {reason}")
    plane = ControlPlane(binaries.build(), tmp_path_factory.mktemp("cluster"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture
def team(control_plane: ControlPlane) -> Iterator[Team]:
    """A new namespace with everything shipped for one."""
    with new_team(control_plane, f"team-{next(NUMBERS)}") as team:
        yield team


@pytest.fixture
def other_team(control_plane: ControlPlane) -> Iterator[Team]:
    """A second one."""
    with new_team(control_plane, f"team-{next(NUMBERS)}") as team:
        yield team


@pytest.fixture(params=[WHERE])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KubernetesSettings]:
    """Settings for a stand-in of a cluster, and for a team's namespace on a real one."""
    if request.param == "control-plane":
        yield request.getfixturevalue("team").settings()
        return
    with stand_in(tmp_path) as (_, kubeconfig):
        yield KubernetesSettings(kubeconfig=kubeconfig, image="assay-trainer:test")


@pytest.fixture
async def bench(cluster: KubernetesSettings, tmp_path: Path) -> AsyncIterator[ClusterBench]:
    """The contract suite's bench, on both."""
    bench = ClusterBench(tmp_path / "store", cluster)
    yield bench
    await bench.close()


@pytest.fixture
async def process_bench(bench: ClusterBench) -> ClusterBench:
    return bench


@pytest.fixture
async def team_bench(team: Team, tmp_path: Path) -> AsyncIterator[ClusterBench]:
    """A bench on a real control plane, as the shipped account of the trainer."""
    bench = ClusterBench(tmp_path / "store", team.settings())
    yield bench
    await bench.close()
