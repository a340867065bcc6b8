"""A system goes through rounds of experiments; in each its services die at some of the points they were seen to pass.

Never decides what a round must come to: `rounds` does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rounds
from places import lines, write_lines
from sites import every_site, points_of
from system_ground import now

SERVICES = ("scheduler", "trainer", "evaluator", "reporter")
GRACE_S = 1.5
"""How long after a round's end a service may still come to a point of it."""
SLOW_S = 45.0
"""The same for points that services come to now and then: the dead letters are looked at twice a minute."""
LAST_TRIES = 3
Points = dict[str, list[str]]
"""Points by service."""


@dataclass
class Registers:
    """The services' files: where they passed, where they are to die, where they died."""

    folder: Path

    def passed(self) -> Points:
        """Each point once, in the order in which a service came there first."""
        return {name: list(dict.fromkeys(lines(self.folder / f"{name}.passed"))) for name in SERVICES}

    def died(self) -> Points:
        return {name: lines(self.folder / f"{name}.died") for name in SERVICES}

    def survived(self) -> Points:
        """The points passed at which no service has died yet."""
        died = self.died()
        return {name: [one for one in ones if one not in died[name]] for name, ones in self.passed().items()}

    def arm(self, points: Points) -> None:
        for name, told in points.items():
            write_lines(self.folder / f"{name}.armed", told)

    def armed(self) -> Points:
        return {name: lines(self.folder / f"{name}.armed") for name in SERVICES}

    def arm_first_start(self) -> None:
        """Tables are made once, before anything was seen to be passed."""
        made = [
            point
            for site in every_site()
            if site.file.endswith("/migrations.py") and site.called == "connection.execute"
            for point in points_of(site)
        ]
        self.arm(dict.fromkeys(("scheduler", "reporter"), made))


@dataclass
class Outcome:
    """What became of the points: which were passed, where services died, and what broke."""

    passed: Points = field(default_factory=dict)
    died: Points = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    rounds: int = 0
    wall_s: float = 0.0


class Campaign:
    def __init__(self, system: Any, registers: Registers) -> None:
        self._system = system
        self._registers = registers
        self._number = 0
        self._reference: Any = None
        self.outcome = Outcome()

    async def go(self, count: int, every: int = 1) -> Outcome:
        """Two calm rounds, then `count` rounds that share each `every`th point; then what is left, more slowly."""
        began, since, outcome, registers = time.monotonic(), now(), self.outcome, self._registers
        registers.arm({name: [] for name in SERVICES})
        await self._round({}, GRACE_S)
        await self._round({}, GRACE_S)
        told = {name: points[::every] for name, points in registers.survived().items()}
        later = shares(told, count)
        while later:
            later = later[1:]
            await self._round(self._due(told, later, whole=every == 1), GRACE_S)
        for _ in range(LAST_TRIES if every == 1 else 1):
            left = self._due(told, (), whole=every == 1)
            if any(left.values()):
                self._start_again(name for name, ones in left.items() if ones)
                await self._round(left, SLOW_S)
        await rounds.nothing_twice(self._system, since)
        outcome.passed, outcome.died, outcome.wall_s = registers.passed(), registers.died(), time.monotonic() - began
        return outcome

    def _due(self, told: Points, later: Sequence[Points], *, whole: bool) -> Points:
        """What was dealt to this round, and what earlier ones did not come to or, of a `whole` campaign, came to for
        the first time."""
        return {
            name: [
                one for one in ones
                if (whole or one in told[name]) and not any(one in share[name] for share in later)
            ]
            for name, ones in self._registers.survived().items()
        }  # fmt: skip

    def _start_again(self, names: Iterable[str]) -> None:
        """Some points are come to at a start alone."""
        for name in names:
            process = self._system.process(name)
            if process is not None:
                process.kill()

    async def _round(self, share: Points, grace_s: float) -> None:
        """One round. What breaks is kept."""
        began, before = time.monotonic(), self._registers.died()
        self._registers.arm(share)
        try:
            said = await self._calm_end(grace_s)
            self._reference = self._reference or said
            assert said == self._reference, "it came to something else"
        except Exception as error:  # whatever it is, the other points are still to be tried
            self.outcome.broken.append(f"round {self._number}: {error!r}"[:2000])
        left = self._registers.armed()
        self._registers.arm({name: [] for name in SERVICES})
        died = {name: points[len(before[name]) :] for name, points in self._registers.died().items()}
        self._tell(died, left, time.monotonic() - began)
        self._number += 1
        self.outcome.rounds += 1

    async def _calm_end(self, grace_s: float) -> Any:
        said = await rounds.go_through(self._system, self._number, self._registers.folder / "mail")
        deadline = time.monotonic() + grace_s
        while any(self._registers.armed().values()) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return said

    def _tell(self, died: Points, left: Points, wall_s: float) -> None:
        print(f"round {self._number}: {wall_s:.1f} s, {sum(map(len, died.values()))} deaths", flush=True)
        for name in SERVICES:
            for point in died[name]:
                print(f"  {name} died {point}")
            for point in left[name]:
                print(f"  {name} did not come {point}")
        if self.outcome.broken:
            print(f"  BROKEN so far: {self.outcome.broken}", flush=True)


def shares(points: Points, count: int) -> list[Points]:
    """Each service's points dealt out in turn: a share has some of every phase, in their order."""
    return [{name: ones[number::count] for name, ones in points.items()} for number in range(count)]
