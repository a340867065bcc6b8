"""A real S3 server behind a proxy that refuses, delays, cuts and closes: right bytes or a clear failure."""

from __future__ import annotations

import asyncio
import random
from urllib.parse import urlsplit

import pytest
from assay_chassis.object_store import StoreSettings, open_store
from assay_chassis.object_store.errors import StoreUnavailable
from fault_proxy import Proxy

pytestmark = [pytest.mark.real, pytest.mark.slow]
OBJECTS = 60


async def test_every_object_is_read_as_it_was_written_whatever_breaks_in_between(s3_settings: StoreSettings) -> None:
    port = urlsplit(s3_settings.s3_endpoint_url or "").port
    assert port is not None
    draw = random.Random(1)
    objects = {f"folder/{number}": draw.randbytes(draw.choice((10, 5_000, 300_000))) for number in range(OBJECTS)}
    with Proxy(port, ("close", "slow", "cut", "refuse"), share=0.15).running() as proxy:
        settings = s3_settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{proxy.port}"})
        async with open_store("s3://contract/faults", settings) as store:
            refused = 0
            for key, data in objects.items():
                refused += await patiently(lambda key=key, data=data: store.put_bytes(key, data))
            for key, data in objects.items():
                found: list[bytes] = []

                async def read(key: str = key, found: list[bytes] = found) -> None:
                    found.append(await store.get_bytes(key))

                refused += await patiently(read)
                assert found == [data], key
        assert set(proxy.struck) == {"close", "slow", "cut", "refuse"}
    assert refused < OBJECTS / 4, "the store's own retries carry over most of it"


async def patiently(call) -> int:
    """How often a call gave up with the store's own error before it went through; any other error fails the test."""
    for tries in range(20):
        try:
            async with asyncio.timeout(60):
                await call()
        except StoreUnavailable:
            continue
        return tries
    raise AssertionError("twenty times in a row")
