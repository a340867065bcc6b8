"""A TCP proxy that breaks what goes through it: closes sockets, holds bytes back, cuts answers short, or says 503.

Faults strike by chance from a seed, at most so many times; then everything passes.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

Fault = Literal["close", "slow", "cut", "refuse"]
BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BLOCK = 65536
SLOW_S = 1.5


class Proxy:
    """`share` of the requests, that is blocks that a client sends, are struck while `on` is true."""

    def __init__(self, port: int, faults: Sequence[Fault], share: float, seed: int = 0) -> None:
        self.port = 0
        self.on = True
        self.struck: Counter[str] = Counter()
        self._to, self._faults, self._share = port, faults, share
        self._draw = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """In a thread of its own, so that it goes on whatever the test waits for."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = server.result(10).sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(server.result().close)
            self.close_all()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)

    def close_all(self) -> None:
        """Cuts every connection there is now."""

        def close() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers |= {writer, far_writer}
            cut = asyncio.Event()
            ways = [self._forward(reader, far_writer, writer, cut), self._back(far_reader, writer, cut)]
            await asyncio.wait([asyncio.create_task(one) for one in ways], return_when=asyncio.FIRST_COMPLETED)
            for one in (writer, far_writer):
                self._writers.discard(one)
                one.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
        near: asyncio.StreamWriter,
        cut: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK):
                fault = self._strike()
                if fault == "close":
                    near.transport.abort()
                    return
                if fault == "refuse":
                    near.write(BUSY)
                    await near.drain()
                    return
                if fault == "slow":
                    await asyncio.sleep(SLOW_S)
                if fault == "cut":
                    cut.set()
                far.write(block)
                await far.drain()

    async def _back(self, far: asyncio.StreamReader, near: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        with suppress(OSError):
            while block := await far.read(BLOCK):
                if cut.is_set():
                    near.write(block[: len(block) // 2])
                    await near.drain()
                    return
                near.write(block)
                await near.drain()

    def _strike(self) -> Fault | None:
        if not self.on or self._draw.random() >= self._share:
            return None
        fault = self._draw.choice(self._faults)
        self.struck[fault] += 1
        return fault
