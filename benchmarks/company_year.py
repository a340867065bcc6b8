"""A company's year on paper: hundreds of experiments a month on a thousand GPUs, by the real planner and policy.

Trains nothing: how long a job takes is the cost estimate's word, and who goes first is the scheduler's own policy.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.company.cluster import EVICTIONS_A_GPU_YEAR, Cluster, Record
from benchmarks.company.demand import KNOWN_DATA, demands
from benchmarks.results_file import Sizes, begin

START = datetime(2026, 1, 5, tzinfo=UTC)
SIZES: Sizes = {
    "months": (12, "months that are simulated"),
    "experiments": (400, "experiments asked for in a month"),
    "gpus": (1000, "GPUs of the cluster"),
    "tick": (300, "least seconds between two looks at the queue"),
    "seed": (1, "seed of demand and evictions"),
}
NOTES = [
    "An experiment is 2 or 3 arms x 3 seeds of SFT on 3B to 70B models (35, 40, 17, 8 %) and 3 benchmarks, of one of "
    "10 teams, 40 % LOW, 45 % MED, 15 % HIGH, on working days. Hardware is the standard for the model's size.",
    f"{KNOWN_DATA:.0%} of arms use data that the same team has used before, so that jobs are reused or joined.",
    f"{EVICTIONS_A_GPU_YEAR:g} evictions a GPU and year; training goes on from a checkpoint at most half an hour old, "
    "an evaluation from its start. Nothing is preempted: admission by the scheduler, as on the ray backend.",
    "utilisation = GPU-hours held by jobs / GPU-hours there are until the last experiment was asked for; waits are "
    "from ready to the first start; saved = estimated hours of jobs that were reused or joined.",
    "fairness = Jain's index over the teams' GPU-hours (1 is equal), of a demand that is about equal.",
]


def simulate(months: int, experiments: int, gpus: int, tick: int, seed: int) -> dict[str, Any]:
    """The year's figures."""
    cluster = Cluster(gpus, seed, START, timedelta(seconds=tick))
    last = START
    for demand in demands(seed, START, months, experiments):
        cluster.take(demand)
        last = demand.at
    at_the_end = cluster.record.held_gpu_h
    cluster.run_until(last + timedelta(days=365))
    hours = (last - START).total_seconds() / 3600
    return figures(cluster.record, at_the_end / (hours * gpus))


def figures(record: Record, utilisation: float) -> dict[str, Any]:
    """Rounded for people."""
    return {
        "experiments_answered": record.done,
        "utilisation": round(utilisation, 3),
        "gpu_hours": round(record.held_gpu_h),
        "gpu_hours_saved_by_reuse": round(record.saved_gpu_h),
        "saved_share": round(record.saved_gpu_h / (record.saved_gpu_h + record.held_gpu_h), 3),
        "jobs": record.jobs,
        "jobs_reused": record.reused,
        "evictions": record.evictions,
        "gpu_hours_lost_to_evictions": round(record.lost_gpu_h),
        "longest_queue": record.longest_queue,
        "wait_hours": {priority: spread(record.waits[priority]) for priority in ("HIGH", "MED", "LOW")},
        "hours_to_an_answer": {priority: spread(record.answers[priority]) for priority in ("HIGH", "MED", "LOW")},
        "fairness": round(jain(list(record.by_owner.values())), 3),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 90th percentile and maximum."""
    if len(values) < 2:
        return {"median": 0.0, "p90": 0.0, "max": 0.0}
    tenths = statistics.quantiles(values, n=10)
    return {
        "median": round(statistics.median(values), 2),
        "p90": round(tenths[-1], 2),
        "max": round(max(values), 2),
    }


def jain(values: Sequence[float]) -> float:
    """Jain's fairness index (Jain, Chiu and Hawe 1984): 1 where all are equal, 1/n where one has everything."""
    squares = len(values) * sum(value * value for value in values)
    return sum(values) ** 2 / squares if squares else 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    run = begin("company_year", __doc__, SIZES, arguments)
    given = run.given
    found = simulate(given.months, given.experiments, given.gpus, given.tick, given.seed)
    run.write(found, goal={}, packages=["pydantic"], notes=NOTES)


if __name__ == "__main__":
    main()
