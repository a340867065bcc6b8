"""A service that is all that its process does."""

from __future__ import annotations

import gc

import pytest
from assay_chassis.process import run_alone


def test_what_is_there_before_a_service_runs_is_never_collected_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("frozen"))

    async def serve() -> None:
        done.append("served")

    run_alone(serve())
    assert done == ["frozen", "served"]
