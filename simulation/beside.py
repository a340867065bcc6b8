"""What happens beside the services: what people ask for, and the faults that come by themselves.

Strikes no more once the bad times are over.
"""

from __future__ import annotations

import math

from assay_chassis.errors import BrokerUnavailable
from assay_schemas.envelope import Record

from simulation.faults import LEASE_S, PAST_A_LEASE_S
from simulation.loop import Process
from simulation.parts.broker import SimulatedBroker
from simulation.parts.services import SERVICES
from simulation.processes import Processes
from simulation.workload import Asked
from simulation.world import SimulatedWorld

MOST_REPLICAS = 3
KEPT_S = 20.0
"""How long topics keep records, where everybody has read them."""
LEAST_OFF_S, MOST_OFF_S = LEASE_S, 40.0
"""By how much a clock jumps: past a lease, and less than the longer one of an attempt that never spoke."""


async def ask(world: SimulatedWorld) -> None:
    """Everything that people ask for, each at its time."""
    broker = SimulatedBroker(world.log, world.clock)
    for one in world.workload.asked:
        await world.loop.sleep(max(0.0, one.at - world.loop.time()))
        world.note(f"asks: {one.what} {one.event.key[:8] if one.event else one.topic}")
        await _patiently(world, broker, one)
    world.asked_all = True


async def _patiently(world: SimulatedWorld, broker: SimulatedBroker, one: Asked) -> None:
    while True:
        try:
            if one.event is not None:
                await broker.publish(one.event)
            else:
                await broker.send(Record(topic=one.topic, key=b"?", value=one.value))
        except BrokerUnavailable:
            await world.loop.sleep(0.3)
        else:
            return


async def strike(world: SimulatedWorld, processes: Processes) -> None:
    """Faults that come by themselves, once a second for each process."""
    faults, loop = world.faults, world.loop
    while loop.time() < faults.bad_until:
        await loop.sleep(1.0)
        for name in sorted(processes.running):
            _strike_one(world, processes, processes.running[name])
        if _trains(world, processes) and faults.strikes_now("every trainer stopped"):
            _stop_trainers(world, processes)
        for service in SERVICES:
            if processes.replicas[service] < MOST_REPLICAS and faults.strikes_now("replica comes", service):
                processes.begin_another(service)
        if faults.strikes_now("old records dropped"):
            world.log.drop_before(loop.time() - KEPT_S)
        for group in world.log.groups.values():
            if faults.strikes_now("rebalance", group.name):
                group.rebalance()


def _strike_one(world: SimulatedWorld, processes: Processes, process: Process) -> None:
    faults = world.faults
    if faults.strikes_now("process killed", process.name):
        processes.kill(process)
    elif faults.strikes_now("process stopped", process.name):
        processes.stop(process, "process stopped")
    elif process.ask_to_end is not None and faults.strikes_now("replica ends", process.name):
        world.loop.call_in(process, process.ask_to_end)
    elif faults.strikes_now("clock jumps", process.name):
        _set_clock(world, process)


def _set_clock(world: SimulatedWorld, process: Process) -> None:
    """Its machine's time of day jumps, and is set right again some time later."""
    off_s = world.faults.between("clock jumps", -1.0, 1.0) * (MOST_OFF_S - LEAST_OFF_S)
    process.clock_off_s = math.copysign(LEAST_OFF_S, off_s) + off_s
    world.loop.later(world.faults.between("clock jumps", 10.0, 60.0), setattr, process, "clock_off_s", 0.0)


def _trainers(processes: Processes) -> list[Process]:
    return [processes.running[name] for name in sorted(processes.running) if name.startswith("trainer")]


def _trains(world: SimulatedWorld, processes: Processes) -> bool:
    """Whether a run works and somebody may say so."""
    awake = all(one.stopped_until <= world.loop.time() for one in _trainers(processes))
    return awake and bool(world.clusters["trainer"].working())


def _stop_trainers(world: SimulatedWorld, processes: Processes) -> None:
    """All replicas stand still for as long: nobody speaks for the runs, which go on."""
    seconds = world.faults.between("every trainer stopped", *PAST_A_LEASE_S)
    for process in _trainers(processes):
        processes.stand_still(process, seconds)
