"""Admits ready jobs into free capacity, one scheduler at a time, and says when to look again.

Reads the situation and carries it out; policy.py decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from assay_chassis.outbox import Transaction
from assay_schemas.experiments import Hardware

from assay_scheduler.commander import Commander
from assay_scheduler.policy import Admission, Candidate, Resources, Situation, admit, need_of
from assay_scheduler.store import QUERIES

USAGE_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Admitter:
    """`capacity` is everything that jobs may hold at once, `quotas` what an owner's may."""

    commander: Commander
    capacity: Resources
    patience_s: float
    quotas: Mapping[str, Resources] = field(default_factory=dict)

    async def run(self, tx: Transaction, now: datetime) -> Admission:
        """Admits what fits, under the admission lock, which is held until the transaction ends."""
        await tx.connection.execute(QUERIES.admission_lock)
        admission = await self.look(tx.connection, now)
        if admission.admitted:
            await self.commander.admit(tx, admission, now)
            await tx.connection.execute(QUERIES.keep_turn, admission.turn)
        return admission

    async def look(self, connection: Any, now: datetime) -> Admission:
        """What would be admitted now, and who waits for what."""
        candidates = [_candidate(row) for row in await connection.fetch(QUERIES.ready_jobs, now)]
        if not candidates:
            return Admission([], [], {}, 0)
        taken, held = Resources(), dict[str, Resources]()
        for row in await connection.fetch(QUERIES.held_resources):
            holds = _need(row).times(row["jobs"])
            taken = taken + holds
            held[row["owner"]] = held.get(row["owner"], Resources()) + holds
        usage = {
            row["owner"]: float(row["used"])
            for row in await connection.fetch(QUERIES.recent_usage, now, now - USAGE_WINDOW)
        }
        turn = await connection.fetchval(QUERIES.take_turn)
        situation = Situation(self.capacity, taken, now, usage, self.patience_s, turn, self.quotas, held)
        return admit(candidates, situation)


def _need(row: Any) -> Resources:
    return need_of(row["kind"], Hardware.model_validate(row["hardware"]), row["policy"])


def _candidate(row: Any) -> Candidate:
    return Candidate(row["key"], _need(row), row["priority"], row["owner"], row["since"], row["ready_at"])
