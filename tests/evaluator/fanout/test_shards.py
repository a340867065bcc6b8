"""Shards go to whoever is free, the longest expected first; a lost worker's shard is the next to be taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_evaluator.fanout.shards import Batch, ShardLost, Shards
from assay_evaluator.fanout.sizes import workers_for
from assay_schemas.experiments import Hardware

COSTS = [3.0, 9.0, 1.0, 9.0, 5.0]


def shards() -> Shards:
    return Shards([Batch(number, [number], cost) for number, cost in enumerate(COSTS)])


def numbers(found: Shards) -> list[int]:
    taken = []
    while batch := found.take(0):
        taken.append(batch.number)
        found.done(0)
    return taken


def test_the_longest_expected_is_taken_first_and_of_equal_ones_the_first() -> None:
    assert numbers(shards()) == [1, 3, 4, 0, 2]


def test_all_is_finished_only_when_nothing_is_taken_either() -> None:
    found = Shards([Batch(0, [0], 1.0)])
    assert found.take(0) is not None
    assert found.take(1) is None
    assert not found.finished
    found.done(0)
    assert found.finished


def test_a_lost_worker_loses_only_its_shard() -> None:
    found = shards()
    first, second = found.take(0), found.take(1)
    assert first
    assert second
    found.lost(0)
    again = found.take(2)
    assert again == first
    assert found.done(1) == second
    found.lost(3)


def test_a_shard_that_takes_workers_with_it_is_named() -> None:
    found = shards()
    found.take(0)
    found.lost(0)
    found.take(1)
    with pytest.raises(ShardLost, match="1 items took 2 workers with them"):
        found.lost(1)


def test_the_tail_is_short_where_a_static_assignment_leaves_one_worker_behind() -> None:
    costs = [float(1 + number % 7) for number in range(60)] + [40.0, 30.0]
    found = Shards([Batch(number, [number], cost) for number, cost in enumerate(costs)])
    free_at = dict.fromkeys(range(4), 0.0)
    while not found.finished:
        worker = min(free_at, key=free_at.__getitem__)
        batch = found.take(worker)
        if batch is None:
            break
        found.done(worker)
        free_at[worker] += batch.cost
    mean = sum(costs) / 4
    assert max(free_at.values()) <= 1.1 * mean
    assert max(sum(costs[worker::4]) for worker in range(4)) > 1.1 * mean


def test_a_process_for_each_gpu_or_core_as_far_as_memory_holds(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"0" * 2**20)
    assert workers_for(Hardware(gpus=4, cpus=1), tmp_path) == 4
    assert workers_for(Hardware(cpus=2.5, memory_gib=4), tmp_path) == 2
    assert workers_for(Hardware(cpus=8, memory_gib=2), tmp_path) == 2
    assert workers_for(Hardware(cpus=0.5), tmp_path) == 1
