"""Writes what a run found into `benchmarks/results`: how many seeds, and the planted bugs.

Never writes the figures of a handful of seeds, and never more seeds than were run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.results_file import figures, load, write
from simulation.every_point import PointsTried
from simulation.summary import Found, Summary

FEWEST = 100
COMMAND = "make simulate"
GOAL = {"seeds": ">= 10000", "broken": "0", "planted_bugs_found": "all of at least 12, each within 1000 seeds"}
NOTES = (
    "Each seed is one schedule of the whole system: one to three schedulers, trainers, evaluators and reporters, one "
    "to six experiments that share jobs, the faults counted here; invariants hold after each step and at the end.",
    "The handlers, lifecycle, planner, inbox, outbox, relay, consumer and job services are the product's own.",
)


def write_seeds(summary: Summary, wall_s: float) -> None:
    if summary.seeds < FEWEST:
        print(f"No result is written for fewer than {FEWEST} seeds.")
        return
    found = {
        "seeds": summary.seeds,
        "schedules": len(summary.schedules),
        "broken": len(summary.broken),
        "experiments": summary.experiments,
        "attempts": summary.attempts,
        "steps": summary.steps,
        "simulated_hours": round(summary.simulated_s / 3600, 1),
        "seeds_wall_s": round(wall_s, 1),
        "processor_s_a_seed": round(summary.processor_s / summary.seeds, 3),
        "faults": dict(sorted(summary.faults.items())),
    }
    _write(found, wall_s)


def write_planted(found: Sequence[Found]) -> None:
    """Adds the planted bugs to the figures of the seeds."""
    bugs = dict(figures("simulation").get("bugs", {}))
    bugs |= {
        one.bug: {"words": one.words, "seed": one.seed, "seeds_tried": one.tried, "broken": one.broken} for one in found
    }
    found_ones = sum(one["broken"] != "" for one in bugs.values())
    _write({"planted_bugs": len(bugs), "planted_bugs_found": found_ones, "bugs": bugs}, 0.0)


def write_points(tried: PointsTried, seed: int, wall_s: float) -> None:
    """`fault_points.json`: points come to in a calm seed, and what became of it with a kill at each."""
    write(
        "fault_points",
        figures={
            "seed": seed,
            "points": sum(tried.kinds.values()),
            "kinds": dict(sorted(tried.kinds.items())),
            "killed_at": tried.killed,
            "broken": len(tried.broken),
        },
        goal={"killed_at": "every point", "broken": "0"},
        command="make fault-points",
        packages=("aiokafka", "asyncpg", "pydantic"),
        load_before=load(),
        notes=("Simulated time, database, broker and store; the services' code is the product's own.",),
        wall_s=wall_s,
    )


def _write(new: dict[str, Any], wall_s: float) -> None:
    write(
        "simulation",
        figures={**figures("simulation"), **new},
        goal=GOAL,
        command=COMMAND,
        packages=("aiokafka", "asyncpg", "pydantic"),
        load_before=load(),
        notes=NOTES,
        wall_s=wall_s,
    )
