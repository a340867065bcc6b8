"""What stopped jobs took. An experiment that is cancelled ends at once, and each job it stops says so a little later.

Values in, values out; never waits: publication asks again until all is said, or long enough was waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from assay_schemas.jobs import Usage
from assay_schemas.results import ExperimentResult, JobEnd

LONGEST_WAIT = timedelta(seconds=45)
"""Longer than a job is given to stop. A lost attempt says nothing any more, and one that another experiment still
wants says it when it ends."""
Attempt = tuple[str, int]


def stopped(ends: Iterable[JobEnd]) -> list[Attempt]:
    """Attempts that were out when the experiment was cancelled, and are its own to pay."""
    return [(end.key, end.attempt) for end in ends if end.outcome == "cancelled" and not end.reused and end.attempt]


def with_last_words(result: ExperimentResult, told: Mapping[Attempt, Usage]) -> ExperimentResult:
    """The result with what stopped attempts have told since."""
    known = {attempt: told[attempt] for attempt in stopped(result.ends) if attempt in told}
    ends = [
        end.model_copy(update={"usage": known[end.key, end.attempt]})
        if end.attempt and (end.key, end.attempt) in known
        else end
        for end in result.ends
    ]
    return result.model_copy(update={"ends": ends})


def worth_waiting(result: ExperimentResult, told: Mapping[Attempt, Usage], now: datetime) -> bool:
    """Whether a stopped attempt may still tell what it took."""
    return now - result.completed_at < LONGEST_WAIT and not set(stopped(result.ends)) <= told.keys()
