"""What a campaign found, in words and as a result in `benchmarks/results`.

Never writes the figures of a sample of the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from campaign import Outcome, Points
from reach import elsewhere, served, why
from sites import Site, every_site, not_passed

from benchmarks.results_file import write

COMMAND = "make kill-places"


def figures(outcome: Outcome) -> dict[str, Any]:
    """Calls in the source, those that services passed, and the points, before and after, at which they died."""
    sites = every_site()
    ours = served(sites)
    missed = not_passed(ours, [point for points in outcome.passed.values() for point in points])
    return {
        "calls_in_the_source": len(sites),
        "made_elsewhere": dict(elsewhere(sites)),
        "calls_that_services_make": len(ours),
        "passed": len(ours) - len(missed),
        "not_passed": by_reason(missed),
        "points": counted(outcome.passed),
        "killed_at": counted(outcome.died),
        "not_killed_at": {
            name: left for name, ones in outcome.passed.items() if (left := without(ones, outcome.died[name]))
        },
        "kills": sum(map(len, outcome.died.values())),
        "broken": len(outcome.broken),
        "rounds": outcome.rounds,
    }


def counted(points: Points) -> dict[str, int]:
    return {name: len(set(ones)) for name, ones in points.items()} | {"all": sum(map(len, map(set, points.values())))}


def without(points: Sequence[str], died: Sequence[str]) -> list[str]:
    return [point for point in points if point not in died]


def by_reason(missed: Sequence[Site]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for site in missed:
        found.setdefault(why(site), []).append(f"{site.file} {site.function}")
    return found


def write_result(outcome: Outcome, load_before: float) -> None:
    """`kill_places.json`."""
    write(
        "kill_places",
        figures=figures(outcome),
        goal={"killed_at": "every point that comes in each round", "broken": "0"},
        command=COMMAND,
        packages=("aiokafka", "asyncpg", "faststream"),
        load_before=load_before,
        notes=(
            "Real services, Kafka, PostgreSQL and a folder as store on one system; a point is a line of the product's "
            "code that speaks to one of them, before or after, by service. Several die in each round.",
            "Points not killed at come after some deaths only, or where the machine is slow.",
        ),
        wall_s=outcome.wall_s,
    )
