"""The services of a world as processes: begun, killed, stopped for a while, and begun again.

Decides nothing about when; faults and `beside` do.
"""

from __future__ import annotations

import random

from simulation.faults import ABOUT_A_LEASE_S, AND_A_SESSION_S, Kind
from simulation.loop import Process
from simulation.parts.log import SESSION_TIMEOUT_S
from simulation.parts.services import SERVICES
from simulation.world import SimulatedWorld

MOST_STOPPED_S = 40.0


class Processes:
    """`running` is the process of each replica, by its name; `replicas` is how many each service has."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world, self._loop = world, world.loop
        self.running: dict[str, Process] = {}
        draw = random.Random(f"replicas {world.seed}")
        self.replicas = {name: draw.choice((1, 2, 2) if name == "scheduler" else (1, 1, 2)) for name in SERVICES}
        world.harm.kill, world.harm.stop = self.kill, self.stop

    def begin_all(self) -> None:
        for service, count in self.replicas.items():
            for number in range(count):
                self._begin(service, f"{service}-{number}", 0)

    def begin_another(self, service: str) -> None:
        number = self.replicas[service]
        self.replicas[service] = number + 1
        self._begin(service, f"{service}-{number}", 0)

    def _begin(self, service: str, name: str, life: int) -> None:
        process = self._loop.process(f"{name}.{life}")
        self.running[name] = process
        self._world.note(f"starts {process.name}")
        self._loop.spawn(process, self._serve(service, name, process, life))

    async def _serve(self, service: str, name: str, process: Process, life: int) -> None:
        try:
            await SERVICES[service](self._world)
        except SystemExit:
            self._world.note(f"{process.name} ends itself")
        self._bury(process)
        self._begin_again(service, name, life, self._world.faults.between("replica ends", 0.5, 30.0))

    def _begin_again(self, service: str, name: str, life: int, delay_s: float) -> None:
        self._loop.later(delay_s, self._begin, service, name, life + 1)

    def kill(self, process: Process, words: str = "") -> None:
        """kill -9; its supervisor starts it again."""
        if not process.alive:
            return
        self._world.note(f"killed {process.name} {words}")
        self._bury(process)
        name, _, life = process.name.rpartition(".")
        delay_s = self._world.faults.between("process killed", 0.5, 8.0)
        self._begin_again(name.rpartition("-")[0], name, int(life), delay_s)

    def _bury(self, process: Process) -> None:
        self._fell(process)
        self._loop.kill(process)
        for sessions in self._world.sessions.values():
            sessions.process_died(process)
        self._expire(process)

    def stop(self, process: Process, kind: Kind) -> None:
        """SIGSTOP, and some time later SIGCONT."""
        lasting = (ABOUT_A_LEASE_S, AND_A_SESSION_S)
        self.stand_still(process, self._world.faults.lasting(kind, MOST_STOPPED_S, lasting))

    def stand_still(self, process: Process, seconds: float) -> None:
        self._fell(process)
        self._loop.stop_process(process, seconds)
        for sessions in self._world.sessions.values():
            sessions.process_stopped(process)
        self._expire(process)

    def _fell(self, process: Process) -> None:
        if process.name.startswith("scheduler"):
            self._world.fell_at = self._world.clock.true_now().timestamp()

    def _expire(self, process: Process) -> None:
        for group in self._world.log.groups.values():
            for member in [one for one in group.members if one.process is process]:
                self._loop.later(SESSION_TIMEOUT_S, group.expire, member)
