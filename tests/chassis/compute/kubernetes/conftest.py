"""Makes the folder's own modules importable, and gives each test a cluster."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_api import FakeApi
from ground import Ground


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    api = FakeApi()
    ground = Ground(api, await api.start(tmp_path))
    api.now = ground.clock.now
    yield ground
    for backend in ground.opened:
        await backend.close()
    await api.stop()
