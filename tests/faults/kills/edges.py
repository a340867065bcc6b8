"""The drivers' calls, wrapped: asyncpg, aiokafka and the object store tell a register before and after each.

Never changes what a call does or gives back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from assay_chassis.object_store.common import CommonStore
from places import Register, place_of

STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
CONSUMER = ("start", "getone", "getmany", "commit", "end_offsets", "beginning_offsets", "committed")
STORE = ("put_bytes", "put_file", "put_tree", "get_bytes", "get_file", "get_tree", "exists", "stat", "delete_prefix")
OF_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK")


def watch(register: Register) -> None:
    """From here on this process tells of every call."""
    for name in STATEMENTS:
        around(register, asyncpg.Connection, name, told=statement)
    for name in ("add_listener", "set_type_codec"):
        around(register, asyncpg.Connection, name)
    around(register, asyncpg, "connect")
    for name in CONSUMER:
        around(register, AIOKafkaConsumer, name)
    around(register, AIOKafkaProducer, "start")
    around_sending(register)
    for name in STORE:
        around(register, CommonStore, name)
    around_listing(register)


def statement(name: str, arguments: tuple[Any, ...]) -> str:
    """`begin`, `commit` and `rollback` are asyncpg's own words, through the same method as any statement."""
    words = arguments[1].split(maxsplit=1) if len(arguments) > 1 else []
    word = words[0].rstrip(";") if words else ""
    return word.lower() if word in OF_TRANSACTIONS else name


def around(
    register: Register, owner: Any, name: str, told: Callable[[str, tuple[Any, ...]], str] = lambda name, _: name
) -> None:
    inner = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Awaitable[Any]:
        # The stack tells who asks only now: what is awaited may be awaited in a task of its own.
        return watched(place_of(told(name, arguments)), inner(*arguments, **named))

    async def watched(place: str | None, asked: Awaitable[Any]) -> Any:
        register.come_to("before", place)
        answer = await asked
        register.come_to("after", place)
        return answer

    setattr(owner, name, call)


def around_sending(register: Register) -> None:
    """A record is sent when the broker has acknowledged it."""
    inner = AIOKafkaProducer.send

    def send(self: AIOKafkaProducer, *arguments: Any, **named: Any) -> Awaitable[Any]:
        return watched(place_of("send"), inner(self, *arguments, **named))

    async def watched(place: str | None, asked: Awaitable[asyncio.Future[Any]]) -> asyncio.Future[Any]:
        register.come_to("before", place)
        acknowledged = await asked
        acknowledged.add_done_callback(lambda _: register.come_to("after", place))
        return acknowledged

    AIOKafkaProducer.send = send


def around_listing(register: Register) -> None:
    inner = CommonStore.list

    def listing(self: CommonStore, prefix: str = "") -> AsyncIterator[Any]:
        return watched(place_of("list"), inner(self, prefix))

    async def watched(place: str | None, found: AsyncIterator[Any]) -> AsyncIterator[Any]:
        register.come_to("before", place)
        entries = [entry async for entry in found]
        register.come_to("after", place)
        for entry in entries:
            yield entry

    CommonStore.list = listing  # type: ignore[method-assign]
