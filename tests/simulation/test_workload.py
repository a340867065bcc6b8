"""What people ask for, by their mood, and that a seed of trainings that are overtaken has what it is named after."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from assay_schemas.events import COMPLETION_TOPIC

from simulation.life import clear_away, live
from simulation.workload import MOODS, QUOTA_CPUS, Mood, Workload
from simulation.world import SimulatedWorld

WITHIN = 12
"""Seeds of a mood in which its situation comes at least once: it does in about half of them."""


def seeds_of(mood: Mood, count: int) -> list[int]:
    return list(islice((seed for seed in range(10_000) if Workload(seed).mood == mood), count))


@pytest.mark.parametrize("mood", sorted(set(MOODS)))
def test_every_mood_comes_in_one_seed_of_fifty_or_more(mood: Mood) -> None:
    assert len(seeds_of(mood, 20)) == 20
    assert seeds_of(mood, 20)[-1] < 1000


def test_a_colleague_with_a_quota_asks_for_the_same_and_more_at_the_same_priority() -> None:
    for seed in seeds_of("colleagues", 10):
        documents = list(Workload(seed).experiments.values())
        for first, second in list(pairwise(documents))[::2]:
            assert (first["owner"], second["owner"]) == ("ann", "bob")
            assert first["priority"] == second["priority"]
            assert all(arm in second["arms"] for arm in first["arms"])
            assert len(second["arms"]) > len(first["arms"])
            assert second["hardware"]["cpus"] <= QUOTA_CPUS["bob"]


def test_an_attempt_that_was_given_up_while_its_trainers_stood_still_ends_well_after_the_next_has_spoken() -> None:
    assert any(succeeds_beside_a_later_attempt(seed) for seed in seeds_of("overtaken", WITHIN))


def succeeds_beside_a_later_attempt(seed: int) -> bool:
    world = SimulatedWorld(seed)
    assert live(world).broken == []
    spoken = {(event.key, event.data["attempt"]) for event in map(world.read, world.log.of("job.progressed"))}
    ended = [world.read(record) for record in world.log.of(COMPLETION_TOPIC["training"])]
    succeeded = [(event.key, event.data["attempt"]) for event in ended if event.data["outcome"] == "succeeded"]
    del world
    clear_away()
    return any(key == of and attempt < later for key, attempt in succeeded for of, later in spoken)
