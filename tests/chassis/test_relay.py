"""The outbox and its relay: everything committed goes out, in order, by one leader; nothing rolled back ever does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from assay_chassis.clock import SystemClock
from assay_chassis.database import Database
from assay_chassis.inbox import apply_once, apply_together
from assay_chassis.memory import InMemoryBroker
from assay_chassis.migrations import migrate
from assay_chassis.outbox import QUERIES, Transaction, transaction
from assay_chassis.relay import OutboxRelay
from assay_schemas.envelope import Event

pytestmark = pytest.mark.real
TOPIC = "experiment.accepted"


def event(number: int, **data: object) -> Event:
    return Event(
        id=f"e{number}",
        source="/scheduler",
        type=TOPIC,
        time="2026-01-01T00:00:00.123456Z",
        data={"n": number, **data},
        key="k",
        subject="k",
        correlationid="c",
        causationid="cause",
        dataschema=f"{TOPIC}/1.0",
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, schema="scheduler")
    await migrate(opened, "assay_chassis")
    yield opened
    await opened.close()


@asynccontextmanager
async def relaying(database: Database, broker: InMemoryBroker) -> AsyncIterator[None]:
    task = asyncio.create_task(OutboxRelay(database, broker, SystemClock()).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def say_and_fail(database: Database, said: Event) -> None:
    with suppress(KeyError):
        async with transaction(database) as tx:
            await tx.publish(said)
            raise KeyError


async def started(log: InMemoryBroker) -> InMemoryBroker:
    await log.start()
    return log


async def test_a_committed_event_goes_out_whole_and_soon(database: Database) -> None:
    broker = await started(InMemoryBroker())
    async with relaying(database, broker):
        await asyncio.sleep(0.3)
        said = event(1, text="nul \u0000 snow ☃")
        async with transaction(database) as tx:
            await tx.publish(said)
        await until(lambda: bool(broker.events(TOPIC)), timeout_s=0.8)
    assert broker.events(TOPIC) == [said]


async def test_a_rolled_back_event_never_goes_out(database: Database) -> None:
    broker = await started(InMemoryBroker())
    async with relaying(database, broker):
        await say_and_fail(database, event(1))
        async with transaction(database) as tx:
            await tx.publish(event(2))
        await until(lambda: bool(broker.events(TOPIC)))
    assert [found.id for found in broker.events(TOPIC)] == ["e2"]


async def test_an_event_committed_after_a_later_one_is_not_lost(database: Database) -> None:
    """Numbers are drawn in one order and committed in another; a remembered position would lose the first."""
    broker = await started(InMemoryBroker())
    async with relaying(database, broker):
        async with transaction(database) as slow:
            await slow.publish(event(1))
            await slow.flush()
            async with transaction(database) as quick:
                await quick.publish(event(2))
            await until(lambda: len(broker.events(TOPIC)) == 1)
        await until(lambda: len(broker.events(TOPIC)) == 2)
    assert [found.id for found in broker.events(TOPIC)] == ["e2", "e1"]


async def test_a_backlog_larger_than_a_batch_goes_out_in_order_and_once(database: Database) -> None:
    broker = await started(InMemoryBroker())
    async with transaction(database) as tx:
        await tx.publish(*(event(number) for number in range(1203)))
    async with relaying(database, broker), relaying(database, broker):
        await until(lambda: len(broker.events(TOPIC)) >= 1203)
        await asyncio.sleep(0.2)
    assert [found.data["n"] for found in broker.events(TOPIC)] == list(range(1203))


async def test_events_wait_for_a_broker_that_is_away(database: Database) -> None:
    broker = await started(InMemoryBroker())
    broker.log.available = False
    async with relaying(database, broker):
        async with transaction(database) as tx:
            await tx.publish(event(1))
        await asyncio.sleep(0.5)
        assert broker.events(TOPIC) == []
        broker.log.available = True
        await until(lambda: len(broker.events(TOPIC)) == 1)


async def test_another_process_leads_when_the_leader_is_cut_off(database: Database) -> None:
    one, other = await started(InMemoryBroker()), await started(InMemoryBroker())
    async with relaying(database, one):
        async with transaction(database) as tx:
            await tx.publish(event(1))
        await until(lambda: len(one.events(TOPIC)) == 1)
        async with relaying(database, other):
            one.log.available = False
            await asyncio.sleep(0.2)
            async with database.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database "
                    "WHERE locktype = 'advisory' AND datname = current_database()"
                )
            async with transaction(database) as tx:
                await tx.publish(event(2))
            await until(lambda: len(other.events(TOPIC)) == 1, timeout_s=15)


async def test_old_rows_are_forgotten_and_new_ones_kept(database: Database) -> None:
    async with database.connection() as connection:
        for age, number in (("2 days", 1), ("1 hour", 2)):
            await connection.execute(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, published_at) "
                f"VALUES ($1, 't', 'k', 't', $2, now() - interval '{age}')",
                str(number),
                {},
            )
        for age, name in (("31 days", "old"), ("29 days", "new")):
            await connection.execute(
                f"INSERT INTO inbox (source, id, handled_at) VALUES ('s', $1, now() - interval '{age}')", name
            )
        await connection.execute(
            "INSERT INTO inbox (source, id, handled_at) "
            "SELECT 'busy', n::text, now() - interval '31 days' FROM generate_series(1, 10001) AS n"
        )
        relay = OutboxRelay(database, InMemoryBroker(), SystemClock())
        await relay.prune()
        assert await connection.fetchval("SELECT string_agg(id, ',') FROM outbox") == "2"
        assert await connection.fetchval("SELECT string_agg(id, ',') FROM inbox") == "new"
        assert await connection.fetchval(QUERIES.count_unpublished) == 0


async def test_the_same_event_twice_at_once_has_one_effect(database: Database) -> None:
    async def handler(given: Event, tx: Transaction) -> None:
        await asyncio.sleep(0.05)
        await tx.publish(given.model_copy(update={"id": "effect"}))

    ran = await asyncio.gather(*(apply_once(database, event(1), handler) for _ in range(3)))
    assert sorted(ran) == [False, False, True]
    async with database.connection() as connection:
        assert await connection.fetchval(QUERIES.count_unpublished) == 1


async def test_a_handler_that_fails_leaves_no_trace_and_may_come_again(database: Database) -> None:
    async def failing(given: Event, tx: Transaction) -> None:
        await tx.publish(given)
        raise KeyError("bug")

    async def working(given: Event, tx: Transaction) -> None:
        await tx.publish(given)

    with pytest.raises(KeyError):
        await apply_once(database, event(1), failing)
    assert await apply_once(database, event(1), working)


async def test_events_applied_together_have_all_their_effects_or_none(database: Database) -> None:
    async def handler(given: Sequence[Event], tx: Transaction) -> None:
        for one in given:
            await tx.publish(one)
        if any(one.data["n"] == 3 for one in given):
            raise KeyError("bug")

    assert await apply_once(database, event(1), lambda given, tx: handler([given], tx))
    twice = [event(1), event(2), event(2), event(4)]
    assert [one.id for one in await apply_together(database, twice, handler)] == ["e2", "e4"]
    with pytest.raises(KeyError):
        await apply_together(database, [event(5), event(3)], handler)
    assert [one.id for one in await apply_together(database, [event(4), event(5)], handler)] == ["e5"]
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT string_agg(id, ',' ORDER BY seq) FROM outbox") == "e1,e2,e4,e5"


async def test_news_is_told_once_at_the_commit_and_never_of_what_was_rolled_back(database: Database) -> None:
    heard: list[str] = []
    connection = await database.dedicated()
    try:
        await connection.add_listener("news", lambda *told: heard.append(told[-1]))
        with suppress(KeyError):
            async with transaction(database) as tx:
                tx.notify("news", "lost")
                raise KeyError
        async with transaction(database) as tx:
            for _ in range(3):
                tx.notify("news", "kept")
            tx.notify("news")
        await until(lambda: len(heard) == 2)
    finally:
        await connection.close()
    assert sorted(heard) == ["", "kept"]


async def test_marks_do_not_wait_for_the_disk_and_what_handlers_commit_does(database: Database) -> None:
    connection = await database.dedicated()
    try:
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
    finally:
        await connection.close()
    async with database.connection() as pooled:
        assert await pooled.fetchval("SHOW synchronous_commit") == "on"
