"""Two queues of one cohort on a real cluster: what one leaves free the other takes, and gives back when asked."""

from pathlib import Path

import pytest
from assay_chassis.compute import JobRun, Resources, ResourcesUnavailable, RunState
from contract_bench import make_run, wait_for, wait_for_end, wait_until_running
from teams import ClusterBench, Team

pytestmark = [pytest.mark.real, pytest.mark.slow]
RECLAIM = {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any"}


def run_of(letter: str, cpus: float, **payload: str) -> JobRun:
    return make_run("count_then_wait", key=letter * 64, resources=Resources(cpus=cpus), payload=payload)


async def test_a_queue_borrows_what_another_leaves_free_and_gives_it_back(
    team_bench: ClusterBench, team: Team, other_team: Team, tmp_path: Path
) -> None:
    team.set_quota(cpu=2, cohortName=team.namespace, preemption=RECLAIM)
    other_team.set_quota(cpu=2, cohortName=team.namespace, preemption=RECLAIM)
    borrower = await team_bench.open()
    owner = await team_bench.open(settings=other_team.settings())
    own, borrowed, back = (
        run_of(letter, 2, file=str(tmp_path / letter), counter=str(tmp_path / f"{letter}-counter")) for letter in "abc"
    )
    await borrower.submit(own)
    await borrower.submit(borrowed)
    for run in (own, borrowed):
        await wait_until_running(borrower, run)
    await owner.submit(back)
    await wait_until_running(owner, back)
    waiting = [run for run in (own, borrowed) if (await borrower.status(run.name)).state is not RunState.RUNNING]
    assert len(waiting) == 1, "only what was borrowed is given back"
    status = await wait_for(borrower, waiting[0], lambda status: status.state is RunState.QUEUED)
    assert "gave back what its queue had borrowed" in str(status.reason)
    for letter in "abc":
        (tmp_path / letter).touch()
    assert (await wait_for_end(owner, back)).state is RunState.SUCCEEDED
    for run in (own, borrowed):
        status = await wait_for_end(borrower, run)
        assert (status.state, status.run.attempt) == (RunState.SUCCEEDED, 1)


async def test_more_than_a_cohort_may_lend_is_refused(team_bench: ClusterBench, team: Team, other_team: Team) -> None:
    team.set_quota(cpu=2, cohortName=team.namespace, borrow=1)
    other_team.set_quota(cpu=2, cohortName=team.namespace)
    backend = await team_bench.open()
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.cpus: 4 asked, queue assay can give 3 at most"):
        await backend.submit(make_run(resources=Resources(cpus=4)))


async def test_an_owner_s_jobs_wait_in_the_owner_s_queue(team_bench: ClusterBench, team: Team) -> None:
    queue = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue"}
    metadata = {"name": "vision", "namespace": team.namespace}
    team.plane.apply({**queue, "metadata": metadata, "spec": {"clusterQueue": team.namespace}})
    backend = await team_bench.open(settings=team.settings(owner_queues="vision:vision"))
    team.set_quota(cpu=16, stopPolicy="Hold")
    runs = {
        owner: make_run(key=letter * 64, labels={"owner": owner}) for letter, owner in (("a", "vision"), ("b", "text"))
    }
    for run in runs.values():
        await backend.submit(run)
    await wait_for(backend, runs["vision"], lambda status: "waits in queue vision" in str(status.reason))
    await wait_for(backend, runs["text"], lambda status: "waits in queue assay" in str(status.reason))
    team.set_quota(cpu=16)
    for run in runs.values():
        assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED
