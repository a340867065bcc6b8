"""The libraries of jobs are loaded while the rest of the system starts."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest
from assay_chassis.compute.local import LocalBackend
from assay_chassis.compute.warm_client import likeness_of
from assay_chassis.compute.warm_folder import WarmFolder
from assay_local import libraries
from assay_local.processes import MARK
from assay_local.service import OF_SERVICES, SERVICES, Service
from assay_local.system import EmbeddedSystem


def test_they_are_loaded_early_where_jobs_run_on_this_machine_and_nobody_said_when() -> None:
    assert libraries.wanted({}, SERVICES)
    assert libraries.wanted({"ASSAY_BACKEND": "local"}, SERVICES)
    assert not libraries.wanted({}, {"scheduler": "assay_scheduler"})
    assert not libraries.wanted({"ASSAY_BACKEND": "ray"}, SERVICES)
    assert not libraries.wanted({"ASSAY_WARM_UP_AFTER_S": "600"}, SERVICES)


def test_services_meet_them_since_their_environments_differ_in_settings_alone(tmp_path: Path) -> None:
    system = EmbeddedSystem(tmp_path, services={})
    own = likeness_of({**os.environ, MARK: "a", **OF_SERVICES})
    for name, module in SERVICES.items():
        service = Service(name, module, 1, tmp_path / "log", partial(system._environment, name))
        assert likeness_of({**os.environ, **service.command().environment}) == own


@pytest.mark.real
async def test_the_warm_parent_of_a_service_is_forked_from_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "MODULES", ("sndhdr",))
    folder, sharing = tmp_path / "libraries", tmp_path / "warm"
    client = libraries.begin(folder, sharing, {MARK: "a", **OF_SERVICES})
    backend = LocalBackend(tmp_path / "trainer", environment={MARK: "a", **OF_SERVICES}, warm_sharing=sharing)
    try:
        await backend.start()
        async with asyncio.timeout(60):
            while (record := await backend.warm_parent()) is None or record.state != "ready":
                await asyncio.sleep(0.02)
        first = WarmFolder(folder).read()
        assert first is not None
        assert parent_of(record.pid) == first.pid
    finally:
        await backend.shutdown()
        await backend.close()
        client.end()
    assert not WarmFolder(folder).alive()


@pytest.mark.real
def test_a_system_begins_to_load_them_before_its_broker_answers_and_ends_them_with_itself(
    tmp_path: Path, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(libraries.WARM_UP, raising=False)
    monkeypatch.setattr(libraries, "MODULES", ("sndhdr",))
    system = EmbeddedSystem(tmp_path, services={"trainer": stand_in})
    folder = WarmFolder(tmp_path / "services" / "libraries")
    at_topics: list[bool] = []
    make_topics = system._make_topics

    def noting() -> None:
        at_topics.append(folder.alive())
        make_topics()

    monkeypatch.setattr(system, "_make_topics", noting)
    try:
        system.start()
    finally:
        system.stop()
    assert at_topics == [True]
    assert not folder.alive()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
