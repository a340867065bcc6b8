"""Simulated parts: clocks that are wrong, topics that forget, people who think better of it."""

from __future__ import annotations

from itertools import pairwise

from aiokafka import TopicPartition
from assay_schemas.envelope import Record

from simulation.clock import EPOCH, SimulatedClock
from simulation.faults import KINDS, Faults
from simulation.harm import Harm
from simulation.loop import SimulatedLoop
from simulation.parts.consumer import Consumer
from simulation.parts.log import REBALANCE_WITHIN_S, Log
from simulation.points import Points
from simulation.workload import QUOTA_CPUS, Workload

PLACE = TopicPartition("experiment.requested", 0)


def test_a_machine_whose_clock_jumped_has_its_own_time_of_day_and_the_database_has_the_true_one() -> None:
    loop = SimulatedLoop(0)
    clock, process, heard = SimulatedClock(loop), loop.process("p"), []
    process.clock_off_s = -30.0

    async def look() -> None:
        heard.append(((clock.now() - EPOCH).total_seconds(), (clock.true_now() - EPOCH).total_seconds()))

    loop.spawn(process, look())
    loop.run_until(lambda: bool(heard), 1.0)
    assert heard == [(-30.0, 0.0)]


def test_retention_drops_what_every_group_has_read_and_nothing_else() -> None:
    loop = SimulatedLoop(0)
    log = Log(loop, Faults(0, KINDS), Points(lambda _: False, Harm()), partitions=1)
    for _ in range(3):
        log.append(Record(topic=PLACE.topic, key=b"k", value=b"v"))
    quick, slow = log.group("quick"), log.group("slow")
    for group, read in ((quick, 3), (slow, 1)):
        group.topics = [PLACE.topic]
        group.committed[PLACE] = read
    log.drop_before(100.0)
    assert (log.first[PLACE], slow.position(PLACE)) == (1, 1)
    slow.committed[PLACE] = 2
    log.drop_before(-1.0)
    assert log.first[PLACE] == 1
    log.drop_before(100.0)
    assert log.first[PLACE] == 2
    slow.committed.clear()
    assert slow.position(PLACE) == 2


class Listener:
    """What a member tells: when it got partitions, and when it had let go of them, which takes a while."""

    def __init__(self, loop: SimulatedLoop, lets_go_within_s: float) -> None:
        self._loop, self._within_s = loop, lets_go_within_s
        self.heard: list[str] = []

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.heard.append("has")

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._loop.sleep(self._within_s)
            self.heard.append("let go")


def test_a_member_that_the_group_did_not_wait_for_joins_again_when_it_has_let_go_of_its_partitions() -> None:
    loop = SimulatedLoop(0)
    log = Log(loop, Faults(0, KINDS), Points(lambda _: False, Harm()), partitions=1)
    listener = Listener(loop, 3 * REBALANCE_WITHIN_S)

    async def member() -> None:
        Consumer(log, "group", [PLACE.topic]).start(listener)  # type: ignore[arg-type]
        await loop.sleep(5.0)
        log.group("group").rebalance()

    loop.spawn(loop.process("p"), member())
    loop.run_until(lambda: False, 100.0)
    assert listener.heard == ["has", "let go", "has"]


def test_who_thinks_better_of_it_asks_for_the_same_with_other_hardware_within_the_quota() -> None:
    replaced = 0
    for seed in range(60):
        documents = list(Workload(seed).experiments.values())
        for first, second in pairwise(documents):
            if first["arms"] == second["arms"] and first["hardware"] != second["hardware"]:
                replaced += 1
            assert second["hardware"]["cpus"] <= QUOTA_CPUS.get(second["owner"], 3)
    assert replaced > 5


def test_faults_strike_until_their_time_is_over_and_never_what_is_looked_at_then() -> None:
    faults = Faults(0, favoured=("slow store",))
    faults.shares["slow store"] = 1.0
    faults.now = lambda: faults.bad_until - 0.001
    assert faults.strikes_now("slow store")
    faults.now = lambda: faults.bad_until
    assert not faults.strikes_now("slow store")
