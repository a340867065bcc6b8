"""The chassis' statements, inbox, outbox and the relay's lead, each as a function of a transaction.

Says what `assay_chassis/queries.sql` says, and no more; a test compares the two on real PostgreSQL.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from assay_chassis.outbox import QUERIES

from simulation.database.server import Row, Statement, Transaction

TABLES: dict[str, dict[Any, Row]] = {"inbox": {}, "outbox": {}}


async def remember_events(tx: Transaction, sources: list[str], ids: list[str]) -> list[Row]:
    fresh = []
    for source, identity in sorted(zip(sources, ids, strict=True)):
        row = {"source": source, "id": identity, "handled_at": tx.began_at}
        if await tx.insert("inbox", (source, identity), row):
            fresh.append({"source": source, "id": identity})
    return fresh


async def forget_old_events(tx: Transaction, age: timedelta) -> list[Row]:
    for key, row in [found for found in tx.rows("inbox") if found[1]["handled_at"] < tx.began_at - age]:
        await tx.lock("inbox", key)
        if row is not None:
            tx.delete("inbox", key)
    return []


async def add_outgoing(
    tx: Transaction,
    ids: list[str],
    topics: list[str],
    keys: list[str],
    payloads: list[str],
    channels: list[str],
    news: list[str],
) -> list[Row]:
    for identity, topic, key, payload in zip(ids, topics, keys, payloads, strict=True):
        number = tx.server.next_number()
        row = {
            "seq": number,
            "id": identity,
            "aggregatetype": topic,
            "aggregateid": key,
            "type": topic,
            "payload": payload,
            "created_at": tx.began_at,
            "published_at": None,
        }
        tx.put("outbox", number, row)
    tx.news += zip(channels, news, strict=True)
    return [{"pg_notify": ""} for _ in channels]


async def take_outgoing(tx: Transaction, limit: int) -> list[Row]:
    waiting = sorted((row for _, row in tx.rows("outbox") if row["published_at"] is None), key=lambda row: row["seq"])
    columns = ("seq", "aggregatetype", "aggregateid", "payload")
    return [{name: row[name] for name in columns} for row in waiting[:limit]]


async def mark_published(tx: Transaction, numbers: list[int]) -> list[Row]:
    for number in numbers:
        await tx.update("outbox", number, lambda row: {**row, "published_at": tx.began_at})
    return []


async def forget_published(tx: Transaction, age: timedelta) -> list[Row]:
    for key, row in list(tx.rows("outbox")):
        if row["published_at"] is not None and row["published_at"] < tx.began_at - age:
            await tx.lock("outbox", key)
            tx.delete("outbox", key)
    return []


async def is_there(_tx: Transaction) -> list[Row]:
    return [{"?column?": 1}]


STATEMENTS: dict[str, Statement] = {
    QUERIES.remember_events: remember_events,
    QUERIES.forget_old_events: forget_old_events,
    QUERIES.add_outgoing: add_outgoing,
    QUERIES.take_outgoing: take_outgoing,
    QUERIES.mark_published: mark_published,
    QUERIES.forget_published: forget_published,
    "SELECT 1": is_there,
}
LEAD = QUERIES.lead
"""The session's own: a lock that outlives transactions."""
