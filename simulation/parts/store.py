"""The object store of a simulation: objects in memory, with the delays and outages of a real one.

Never loses an object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay_chassis.object_store.base import ObjectStat
from assay_chassis.object_store.errors import StoreUnavailable, TryAgain
from assay_chassis.object_store.memory import MemoryStore

from simulation.faults import Faults
from simulation.harm import Harm
from simulation.loop import SimulatedLoop, current_process
from simulation.points import Points, for_ever


class SimulatedStore(MemoryStore):
    """`written` is told of every object that is written."""

    def __init__(self, loop: SimulatedLoop, faults: Faults, points: Points, harm: Harm) -> None:
        super().__init__("memory://store")
        self._loop, self._faults, self._points, self._harm = loop, faults, points, harm
        self.watchers: list[Callable[[str, bytes], None]] = []

    async def _travel(self, key: str) -> None:
        delay = self._loop.random.uniform(0.001, 0.01)
        if self._faults.strikes_now("slow store", key[:30]):
            delay = self._faults.between("slow store", 0.5, 10.0)
        if self._faults.strikes_now("process stopped at the store", current_process().name):
            self._harm.stop(current_process(), "process stopped at the store")
        await self._loop.sleep(delay)
        if self._faults.strikes_now("store unavailable", key[:30]):
            raise TryAgain(StoreUnavailable(self._uri(key), "does not answer"))

    async def _write(self, key: str, data: bytes, sha256: str, media_type: str, /) -> None:  # noqa: ARG002
        await self._travel(key)
        if self._points.dies_here(current_process(), "before an object is written"):
            await for_ever()
        self.keep(key, data)
        if self._points.dies_here(current_process(), "after an object was written"):
            await for_ever()

    def keep(self, key: str, data: bytes) -> None:
        """Write at once, as a worker on another machine does."""
        self.objects[key] = data
        for watcher in self.watchers:
            watcher(key, data)

    async def _read(self, key: str, max_bytes: int) -> bytes:
        await self._travel(key)
        return await super()._read(key, max_bytes)

    async def _list(self, folder: str) -> Sequence[ObjectStat]:
        await self._travel(folder)
        return await super()._list(folder)
