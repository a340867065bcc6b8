"""Many seeded lives of a few experiments, with events lost, repeated and out of order: all of them end well."""

from __future__ import annotations

import random

import pytest
from assay_scheduler.states import (
    ENDED,
    HOLDING,
    Completed,
    ExperimentCancelled,
    LeaseLapsed,
)
from assay_schemas.artifacts import CheckpointRef
from assay_schemas.jobs import JobError
from scheduler_worlds import RESULT, Story, at, chain

EXPERIMENTS = {"e": (0, 1), "f": (1, 2), "g": (0,)}


class Life:
    """One seeded run: workers that fail, vanish, answer twice and late, and people who cancel."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.story = Story()
        self.seconds = 0.0
        self.post: list[Completed] = []
        self.answered = 0
        self.finished: set[str] = set()
        self.unplanned = list(EXPERIMENTS)

    def run(self) -> None:
        for _ in range(2000):
            if not self.unplanned and self._quiet():
                return
            self.seconds += 1
            self.random.choice([self._plan, self._admit, self._deliver, self._deliver, self._lapse, self._cancel])()
            self._work()
        raise AssertionError("did not come to an end")

    def _quiet(self) -> bool:
        world = self.story.world
        return not self.post and all(job.status in ENDED for job in world.jobs.values())

    def _plan(self) -> None:
        if self.unplanned:
            identity = self.unplanned.pop(self.random.randrange(len(self.unplanned)))
            jobs = [job for seed in EXPERIMENTS[identity] for job in chain(seed)]
            self.story.plan(identity, jobs, self.random.choice(["LOW", "MED", "HIGH"]))

    def _admit(self) -> None:
        now = at(self.seconds * 1000)
        due = [j for j in self.story.world.jobs.values() if j.status == "ready" and (j.not_before or now) <= now]
        if due:
            self.story.admit(self.random.choice(due), self.seconds)

    def _work(self) -> None:
        """Answers new requests: some not at all, some twice."""
        for message in self.story.said[self.answered :]:
            if message.topic.endswith(".requested") and message.topic != "job.cancel.requested":
                answer = self._answer(message.payload)
                self.post += [answer] * self.random.choice([0, 1, 1, 1, 2])
        self.answered = len(self.story.said)

    def _answer(self, request: object) -> Completed:
        key, attempt = request.job_key, request.attempt
        luck = self.random.random()
        if luck < 0.75 or key in self.finished:
            self.finished.add(key)
            checkpoint = CheckpointRef(uri="memory://x/c", digest=key, step=1)
            return Completed(key, attempt, "succeeded", at(self.seconds), RESULT, checkpoint)
        if luck < 0.8:
            return Completed(key, attempt, "cancelled", at(self.seconds))
        error = JobError.of("killed", "x", retryable=luck < 0.95)
        return Completed(key, attempt, "failed", at(self.seconds), error=error)

    def _deliver(self) -> None:
        if self.post:
            self.story.happens(self.post.pop(self.random.randrange(len(self.post))))

    def _lapse(self) -> None:
        silent = [job for job in self.story.world.jobs.values() if job.status in HOLDING]
        if silent and self.random.random() < 0.3:
            job = self.random.choice(silent)
            self.story.happens(LeaseLapsed(job.key, job.attempt, at(self.seconds)))

    def _cancel(self) -> None:
        planned = [identity for identity in EXPERIMENTS if identity in self.story.world.experiments]
        if planned and self.random.random() < 0.02:
            self.story.happens(ExperimentCancelled(self.random.choice(planned), at(self.seconds)))


@pytest.mark.parametrize("seed", range(150))
def test_every_life_ends_with_every_want_answered(seed: int) -> None:
    life = Life(seed)
    life.run()
    world = life.story.world
    assert {one.status for one in world.experiments.values()} == {"settling"}
    assert all(one.open == 0 for one in world.experiments.values())
    assert all(want.end is not None for want in world.wants.values())
    for want in world.wants.values():
        if want.end.outcome == "succeeded":
            assert world.jobs[want.job_key].status == "succeeded"
        if want.end.outcome == "skipped":
            parents = world.jobs[want.job_key].depends_on
            ends = {world.wants[want.experiment_id, parent].end.outcome for parent in parents}
            assert ends - {"succeeded"}


@pytest.mark.parametrize("seed", range(0, 150, 10))
def test_no_attempt_is_asked_for_twice(seed: int) -> None:
    life = Life(seed)
    life.run()
    asked = [m.about for m in life.story.said if m.topic not in ("job.cancel.requested",)]
    assert len(asked) == len(set(asked))
