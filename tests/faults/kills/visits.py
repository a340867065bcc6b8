"""People at both HTTP interfaces while services die: pages are looked at again and again, requests made until answered.

Never expects an answer at once, and never anything twice of what was asked for once.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

PAUSE_S = 0.2
TIMEOUT_S = 5.0
AWAY = (OSError, http.client.HTTPException)


def pages_of(system: Any, experiments: Sequence[str], jobs: Sequence[str]) -> list[str]:
    """Addresses of both interfaces about these."""
    api, web = system.system._url("scheduler"), system.system._url("reporter")
    seen = [f"{web}/experiments/{one}{more}" for one in experiments for more in ("", "/responses", "/report.md")]
    return [
        *(f"{api}/{kind}" for kind in ("experiments", "jobs", "versions")),
        *(f"{api}/experiments/{one}" for one in experiments),
        *(f"{api}/jobs/{one}{more}" for one in jobs for more in ("", "/logs")),
        *(f"{web}/{page}" for page in ("", "costs", "costs.json", f"compare?ids={','.join(experiments)}")),
        *seen,
    ]


def look(address: str) -> None:
    """Asks for a page; whoever is away, or does not know it yet, is asked again another time."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            answer.read()
    except AWAY:
        return


@asynccontextmanager
async def looked_at(addresses: Sequence[str]) -> AsyncIterator[None]:
    """These pages are looked at in turn meanwhile."""

    async def look_on() -> None:
        while True:
            for address in addresses:
                await asyncio.to_thread(look, address)
                await asyncio.sleep(PAUSE_S / 4)
            await asyncio.sleep(PAUSE_S)

    looking = asyncio.create_task(look_on())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def insist(address: str, document: Any = None, key: str = "", within_s: float = 120.0) -> dict[str, Any]:
    """POST until there is an answer, with one `Idempotency-Key`; the answer. A refusal is one too."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await asyncio.to_thread(_post, address, document, key)
            except AWAY:
                await asyncio.sleep(PAUSE_S)


def _post(address: str, document: Any, key: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    request = urllib.request.Request(address, json.dumps(document).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60.0) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as refused:
        if refused.code >= 500:
            raise
        said = json.load(refused)
    found: dict[str, Any] = said
    return found
