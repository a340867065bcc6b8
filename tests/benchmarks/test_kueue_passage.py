"""The way of jobs that `kueue_scale` measures, through a backend that does at once what it is asked."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assay_chassis.compute import JobRun, RunState, RunStatus

from benchmarks import kueue_passage
from benchmarks.kueue_passage import BEFORE, END, SUBMITTED, TAKEN_IN, Passage, Spent
from benchmarks.kueue_scale import BACKEND, figures

LAG = timedelta(seconds=2)


class Obliging:
    """A backend all of whose runs have succeeded once the queue was opened. Only the first `most` do."""

    def __init__(self, most: int = 1000) -> None:
        self.runs: dict[str, JobRun] = {}
        self.open = False
        self.most = most
        self.forgotten = 0

    async def submit(self, run: JobRun) -> None:
        self.runs[run.name] = run

    async def list(self) -> list[RunStatus]:
        ended = self.most - self.forgotten if self.open else 0
        return [self._status(run, number < ended) for number, run in enumerate(self.runs.values())]

    def _status(self, run: JobRun, ended: bool) -> RunStatus:
        if not ended:
            return RunStatus(name=run.name, run=run, state=RunState.QUEUED, reason="waits in queue q: its turn")
        return RunStatus(name=run.name, run=run, state=RunState.SUCCEEDED, ended_at=datetime.now(UTC) - LAG)

    async def forget(self, name: str) -> None:
        del self.runs[name]
        self.forgotten += 1


def passage(backend: Obliging, told: list[str], **more: Any) -> Passage:
    def let_in() -> None:
        backend.open = True

    given = {"jobs": 6, "enough": 6, "at_once": 2, "limit_s": 30.0, **more}
    spent = Spent({BACKEND: 0.0}, {BACKEND: 1.0})
    return Passage(backend, spent=lambda: spent, let_in=let_in, tell=told.append, **given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kueue_passage, "LOOK_S", 0.01)


async def test_all_go_through_and_the_figures_say_when_and_how_late_each_end_was_known() -> None:
    going = passage(Obliging(), told := [])
    await going.pass_all()
    found = figures(going, Counter(POST=6, DELETE=6))
    assert list(going.moments) == [BEFORE, SUBMITTED, TAKEN_IN, END]
    assert (found["went_through"][END], found["known_at_the_same_time"], found["requests_per_job"]) == (6, 6, 2.0)
    assert found["known_after_s"]["median"] == pytest.approx(2.0, abs=0.5)
    assert found["slowest_lists"][0]["took_s"] >= 0
    assert "6 through" in told[-1]


async def test_it_ends_with_what_it_has_when_enough_went_through_or_the_time_is_over() -> None:
    enough = passage(Obliging(most=2), [], enough=2)
    await enough.pass_all()
    late = passage(Obliging(most=2), [], limit_s=0.3)
    await late.pass_all()
    assert (enough.through, late.through) == (2, 2)
    assert figures(late, Counter())["submitted"] == 6


async def test_every_minute_it_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kueue_passage, "MINUTE_S", 0.05)
    going = passage(Obliging(most=2), told := [], limit_s=0.4)
    await going.pass_all()
    assert len(going.minutes) >= 3
    assert any("6 submitted, 4 known, 2 through" in line for line in told)
