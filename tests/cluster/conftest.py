"""A real control plane for the session, and for each test a namespace set up as `deploy/kubernetes` sets it up.
Collects nothing unless `make test-kubernetes` asks: the first ever start builds the programs, for 10 to 15 minutes."""

import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "chassis" / "compute"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import binaries  # noqa: E402
from control_plane import ControlPlane  # noqa: E402
from teams import OF_A_NAMESPACE, OF_THE_CLUSTER, ClusterBench, Team, moved, shipped  # noqa: E402

NUMBERS = itertools.count(1)
collect_ignore_glob = [] if os.environ.get("ASSAY_TEST_KUBERNETES") else ["test_*.py"]


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


@pytest.fixture
def team(control_plane: ControlPlane) -> Iterator[Team]:
    """A new namespace with everything shipped for one."""
    team = Team(control_plane, f"team-{next(NUMBERS)}")
    control_plane.kubectl("create", "namespace", team.namespace)
    items = [item for item in shipped(control_plane) if item["kind"] in OF_A_NAMESPACE]
    control_plane.apply(*(moved(item, team.namespace) for item in items))
    team.set_quota(cpu=16)
    yield team
    control_plane.kubectl("delete", "namespace", team.namespace, "--wait=false")


@pytest.fixture
async def bench(team: Team, tmp_path: Path) -> AsyncIterator[ClusterBench]:
    """The backend as the shipped account of the trainer."""
    bench = ClusterBench(tmp_path / "store", team.settings())
    yield bench
    await bench.close()


@pytest.fixture
async def process_bench(bench: ClusterBench) -> ClusterBench:
    return bench
