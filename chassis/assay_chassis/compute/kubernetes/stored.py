"""The records of a run in the object store: what the service and the pod leave for each other.
Never decides anything, and never talks to the cluster.

`runs/<service>/<run name>/`: run.json, the run · submitted: its Job was created · records.json: what
the pod's keeper and job say, with a heartbeat · cancel: asked to end · end.json: how it ended, from the
service, where the pod could not say · log: what the job printed, once it ended or was interrupted
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from assay_chassis.compute.base import JobRun
from assay_chassis.object_store.base import ObjectStore
from assay_chassis.object_store.errors import ObjectNotFound

RUN, SUBMITTED, RECORDS, CANCEL, END, LOG = "run.json", "submitted", "records.json", "cancel", "end.json", "log"
READS_AT_ONCE = 32


def root_of(service: str) -> str:
    return f"runs/{service}"


def prefix_of(service: str, name: str) -> str:
    """Where a run's records lie."""
    return f"{root_of(service)}/{name}"


@dataclass(frozen=True)
class Stored:
    """What was read of one run. `records` is what the pod wrote last, `end` what the service wrote."""

    run: JobRun
    submitted: bool = False
    cancel_asked: bool = False
    records: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether a last word was said, by the pod or by the service."""
        return self.end is not None or self.records.get("end") is not None


class StoredRuns:
    """The runs of one service. Every call raises what the object store raises, but ObjectNotFound."""

    def __init__(self, store: ObjectStore, service: str) -> None:
        self._store = store
        self._service = service

    def _key(self, name: str, record: str) -> str:
        return f"{prefix_of(self._service, name)}/{record}"

    async def create(self, run: JobRun) -> None:
        await self._store.put_bytes(self._key(run.name, RUN), run.model_dump_json().encode())

    async def mark(self, name: str, record: str) -> None:
        """Leave one of the marks `submitted` and `cancel`."""
        await self._store.put_bytes(self._key(name, record), b"1")

    async def write_end(self, name: str, end: Mapping[str, Any]) -> None:
        await self._store.put_bytes(self._key(name, END), json.dumps(end).encode())

    async def every(self) -> list[Stored]:
        """Every run not yet forgotten: one listing says what there is of each, and only that is read, many at once."""
        root, there = root_of(self._service), dict[str, set[str]]()
        async for entry in self._store.list(root):
            name, _, record = self._store.key(entry.uri).removeprefix(f"{root}/").partition("/")
            there.setdefault(name, set()).add(record)
        at_once = asyncio.Semaphore(READS_AT_ONCE)

        async def read(name: str, records: AbstractSet[str]) -> Stored | None:
            async with at_once:
                run = await self._run(name)
                if run is None:
                    return None
                said = await self._read(name, RECORDS) if RECORDS in records else None
                end = await self._read(name, END) if END in records else None
                return Stored(run, SUBMITTED in records, CANCEL in records, said or {}, end)

        found = await asyncio.gather(*(read(name, there[name]) for name in sorted(there) if RUN in there[name]))
        return [stored for stored in found if stored is not None]

    async def load(self, name: str) -> Stored | None:
        """Everything; None for a run that was not submitted, or was forgotten."""
        run = await self._run(name)
        if run is None:
            return None
        submitted, cancel_asked, records, end = await asyncio.gather(
            self._store.exists(self._key(name, SUBMITTED)),
            self._store.exists(self._key(name, CANCEL)),
            self._read(name, RECORDS),
            self._read(name, END),
        )
        return Stored(run, submitted, cancel_asked, records or {}, end)

    async def _run(self, name: str) -> JobRun | None:
        with suppress(ObjectNotFound):
            return JobRun.from_json(await self._store.get_bytes(self._key(name, RUN)))
        return None

    async def refresh(self, stored: Stored) -> Stored:
        """With what the pod wrote since: one read."""
        return replace(stored, records=await self._read(stored.run.name, RECORDS) or stored.records)

    async def _read(self, name: str, record: str) -> dict[str, Any] | None:
        with suppress(ObjectNotFound):
            content: dict[str, Any] = json.loads(await self._store.get_bytes(self._key(name, record)))
            return content
        return None

    async def log(self, name: str) -> str | None:
        """The whole log as the last pod left it; None before that."""
        with suppress(ObjectNotFound):
            return (await self._store.get_bytes(self._key(name, LOG))).decode(errors="replace")
        return None

    async def remove(self, name: str) -> None:
        await self._store.delete_prefix(prefix_of(self._service, name))
