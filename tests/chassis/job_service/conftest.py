"""A job service on a backend and a publisher in memory. Never starts a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from job_ground import Ground


@pytest.fixture
def ground() -> Ground:
    return Ground()
