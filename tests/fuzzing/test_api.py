"""A few requests to every operation of both HTTP interfaces; `make fuzz-api` makes many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from assay_chassis.health import HttpServer
from fastapi import FastAPI, HTTPException

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_every_answer_is_one_that_the_openapi_description_knows(tmp_path: Path) -> None:
    from fuzzing.api.explore import explore
    from fuzzing.api.ground import ground

    with ground(tmp_path) as made:
        found = explore(made, 4, first=5_000_000)
    assert {one.operation: one.wrong for one in found if one.wrong} == {}
    assert len(found) > 15


@pytest.fixture
def wrong_service() -> Iterator[str]:
    """Says of itself what is not so."""
    api = FastAPI()

    @api.get("/teapots/{name}")
    async def teapot(name: str) -> int:
        raise HTTPException(418, name)

    @api.get("/broken")
    async def broken() -> int:
        return 1 // 0

    loop, server = asyncio.new_event_loop(), HttpServer(api, "127.0.0.1", 0)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_answers_that_are_not_described_and_server_errors_are_found(wrong_service: str) -> None:
    from fuzzing.api.explore import explore
    from fuzzing.api.ground import Ground

    teapot, broken = sorted(explore(Ground({"x": wrong_service}), 3), key=lambda one: one.operation, reverse=True)
    assert any(words.startswith("418 ") for words in teapot.wrong)
    assert any("Server error" in words for words in broken.wrong)
