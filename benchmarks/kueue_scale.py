"""Many jobs through Kueue on a real Kubernetes control plane, whose nodes run nothing: does the backend keep up?

Needs what `make test-kubernetes` needs; etcd, API server, controllers, Kueue and the backend share this machine.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
from assay_chassis.compute.kubernetes.api import KubernetesApi
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.object_store import FileStore

from benchmarks.kueue_passage import BEFORE, END, SUBMITTED, TAKEN_IN, Look, Moment, Passage, Spent
from benchmarks.results_file import Sizes, begin

TESTS = Path(__file__).resolve().parents[1] / "tests"
FIXTURES = (TESTS / "cluster", TESTS / "chassis/compute/kubernetes", TESTS / "chassis/compute")
SIZES: Sizes = {
    "jobs": (15_400, "jobs submitted: some go through meanwhile, and 15,000 are to be known at the same time"),
    "through": (0, "jobs that go through before it ends; 0 for all"),
    "parallel": (16, "submissions at the same time"),
    "at_first": (1, "cores of the queue until Kueue has taken all in: nearly all wait"),
    "quota": (200, "cores of the queue from then on: so many jobs run at a time"),
    "minutes": (45, "minutes after which what is not submitted or through is left, and the figures say how many are"),
}
BACKEND = "the backend"
SLOWEST = 5
GOAL = {"known_at_the_same_time": ">= 15000", "requests_per_job": "<= 10"}
NOTES = [
    "Every job is the backend's own suspended Job with one core, submitted by the shipped account of the trainer; "
    "Kueue lets in as many as the quota holds: at_first until it has taken all in, then quota. The node says that a "
    "pod runs, waits half a second, leaves the records of a job that succeeded, and says that it ended. What ended is "
    "forgotten, as the service does.",
    "requests_per_job counts the backend's calls to the API server, watches and the deletion of ended Jobs included. "
    "list_s is how long the backend takes to give the status of all jobs that it knows, looked at every second. "
    "known_after_s is from the end that a pod's records tell to the list that gave it.",
    "The backend's process is also the benchmark's own. cpu_ms_per_job is the processor time of each program: until "
    "all were taken in by jobs submitted, and from then on by jobs that went through.",
    "The control plane runs only the controllers that Jobs need, without priority and fairness of requests, and its "
    "programs collect garbage later than they would by default. Of Kueue's kinds the present version alone is served, "
    "and it has no metrics of LocalQueues, no waiting for pods to be ready, and no webhooks of integrations that are "
    "off.",
]


class Counting:
    """Counts the calls to the API server by method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        real = KubernetesApi._request

        async def counted(api: KubernetesApi, method: str, *given: Any) -> Any:
            self.calls[method] += 1
            return await real(api, method, *given)

        KubernetesApi._request = counted  # type: ignore[assignment,method-assign]


def figures(passage: Passage, calls: Counter[str]) -> dict[str, Any]:
    """Rounded for people."""
    moments = passage.moments
    before, end = moments[BEFORE], moments[END]
    submitted, taken_in = moments.get(SUBMITTED, end), moments.get(TAKEN_IN, end)
    through, jobs = end.through - taken_in.through, max(passage.submitted, 1)
    own = {name: moment.spent.rss_mib[BACKEND] for name, moment in moments.items()}
    return {
        "jobs": passage.jobs,
        "submitted": passage.submitted,
        "submitted_per_s": round(passage.submitted / submitted.at_s, 1),
        "submissions_tried_again": passage.tried_again,
        "known_at_the_same_time": passage.known_at_most,
        "reached_after_s": {name: round(moment.at_s, 1) for name, moment in moments.items()},
        "went_through": {name: moment.through for name, moment in moments.items()},
        "through_per_s": round(through / max(end.at_s - taken_in.at_s, 1e-9), 1),
        "known_after_s": _middle_and_most(passage.lags_s),
        "list_s": {
            f"until {name}": _middle_and_most(each.took_s for each in looks) for name, looks in passage.looks.items()
        },
        "slowest_lists": _slowest([look for looks in passage.looks.values() for look in looks]),
        "requests_per_job": round(sum(calls.values()) / jobs, 2),
        "requests": dict(calls),
        "rss_kib_per_job": round(1024 * (own.get(SUBMITTED, own[END]) - own[BEFORE]) / jobs, 1),
        "rss_mib": {name: _rounded(moment.spent.rss_mib) for name, moment in moments.items()},
        "cpu_ms_per_job": {
            "submitted": _ms_of_each(before, submitted, jobs),
            "submitted and taken in": _ms_of_each(before, taken_in, jobs),
            "through": _ms_of_each(taken_in, end, through),
        },
        "every_five_minutes": [_in_short(moment) for moment in passage.minutes[4::5]],
    }


def _middle_and_most(seconds: Iterable[float]) -> dict[str, float]:
    found = list(seconds) or [0.0]
    return {"median": round(statistics.median(found), 3), "max": round(max(found), 3)}


def _slowest(looks: Sequence[Look]) -> list[dict[str, float]]:
    slowest = sorted(looks, key=lambda look: look.took_s, reverse=True)[:SLOWEST]
    return [{"at_s": round(look.at_s), "took_s": round(look.took_s, 2), "known": look.known} for look in slowest]


def _in_short(moment: Moment) -> dict[str, Any]:
    return {"at_s": round(moment.at_s), "through": moment.through, "rss_mib": _rounded(moment.spent.rss_mib)}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}


def _ms_of_each(since: Moment, until: Moment, jobs: int) -> dict[str, float]:
    """The processor time between two moments by program, a job; empty without jobs."""
    before, after = since.spent.cpu_s, until.spent.cpu_s
    found = {name: round(1000 * (after[name] - before[name]) / jobs, 1) for name in before} if jobs else {}
    return found | {"all": round(sum(found.values()), 1)} if found else found


def main(arguments: Sequence[str] | None = None) -> int:
    run = begin("kueue_scale", __doc__, SIZES, arguments)
    sys.path[:0] = map(str, FIXTURES)
    binaries, plane_of, teams = (importlib.import_module(name) for name in ("binaries", "control_plane", "teams"))
    if reason := binaries.why_unavailable():
        print(f"not measured: {reason}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        plane = plane_of.ControlPlane(binaries.build(), Path(folder), lean=True)
        try:
            plane.start(node=plane_of.HOLLOW)
            with teams.new_team(plane, "scale") as team:
                found = asyncio.run(_whole(team, FileStore(Path(folder) / "store"), run.given))
            # Before the folder goes, which takes a minute with so many runs in it.
            run.write(found, goal=GOAL, packages=["kubernetes_asyncio"], notes=NOTES)
        finally:
            plane.stop()
    return 0


async def _whole(team: Any, store: FileStore, given: Any) -> dict[str, Any]:
    counting, plane = Counting(), team.plane
    team.set_quota(cpu=given.at_first)
    backend = KubernetesBackend(team.settings(), "trainer", store)
    await backend.start()

    def spent() -> Spent:
        own = psutil.Process().memory_info().rss / 2**20
        return Spent(
            {**plane.cpu_s(), BACKEND: sum(os.times()[:2])},
            {**plane.rss_mib(), BACKEND: own},
        )

    passage = Passage(
        backend,
        jobs=given.jobs,
        enough=given.through or given.jobs,
        at_once=given.parallel,
        limit_s=60.0 * given.minutes,
        spent=spent,
        let_in=lambda: team.set_quota(cpu=given.quota),
        tell=lambda line: print(line, flush=True),
    )
    try:
        await passage.pass_all()
    finally:
        await backend.close()
    return figures(passage, counting.calls)


if __name__ == "__main__":
    sys.exit(main())
