"""Runs of two versions side by side: each is done in its own Python environment."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from assay_chassis.compute import Environments, JobRun, LocalBackend, ResourcesUnavailable, environments_of
from assay_chassis.compute.environments import age_of, for_another_python
from assay_chassis.compute.warm_parent import Options
from assay_local.second_environment import make_environment
from assay_schemas.versions import Environment
from contract_bench import make_run, wait_for_end, wait_until_running

HERE = Path(__file__).parent


def told(version: str, attempt: int = 1) -> JobRun:
    return make_run("tell_environment", attempt=attempt, version=version)


def beside(python: Path) -> Environments:
    return Environments("engine", "1", lambda: {"2": Environment(python=python)})


def test_the_service_s_own_version_and_none_are_its_own_environment(tmp_path):
    environments = beside(tmp_path / "python")
    assert environments.python(told("1")) is None
    assert environments.python(told("")) is None


def test_a_version_that_nobody_declared_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ResourcesUnavailable, match=r"engine_version: 3 .*; there are 1, 2; .*assay images add"):
        beside(Path(sys.executable)).python(told("3"))


def test_an_environment_that_is_gone_is_refused_with_its_place(tmp_path):
    with pytest.raises(ResourcesUnavailable, match=str(tmp_path / "python")):
        beside(tmp_path / "python").python(told("2"))


def test_a_new_declaration_needs_no_restart(tmp_path):
    file = tmp_path / "versions.json"
    environments = environments_of("engine", "1", file)
    assert environments.known() == ["1"]
    file.write_text(json.dumps({"engines": {"2": {"python": sys.executable}}}))
    assert environments.known() == ["1", "2"]
    assert environments.python(told("2")) == Path(sys.executable)


def test_a_warm_parent_serves_the_runs_of_its_version_alone():
    own = Options(Path("x"), (), "", 1.0, 1.0, own="1")
    other = Options(Path("x"), (), "", 1.0, 1.0, version="2")
    assert [own.serves(told(version)) for version in ("", "1", "2")] == [True, True, False]
    assert [other.serves(told(version)) for version in ("", "1", "2")] == [False, False, True]


def test_another_interpreter_does_not_import_this_one_s_packages():
    kept = for_another_python({"PYTHONPATH": "x", "VIRTUAL_ENV": "y", "OMP_NUM_THREADS": "1"})
    assert kept == {"OMP_NUM_THREADS": "1"}


def test_the_age_of_an_environment_changes_when_a_package_does(tmp_path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "a-1.dist-info").mkdir(parents=True)
    before = age_of(tmp_path / "bin" / "python")
    (packages / "b-1.dist-info").mkdir()
    assert age_of(tmp_path / "bin" / "python") != before


@pytest.mark.real
async def test_two_versions_run_side_by_side_and_a_service_that_starts_again_adopts_both(tmp_path):
    python = make_environment(tmp_path / "two")
    options = {"environment": {"PYTHONPATH": str(HERE)}, "grace_s": 0.5, "environments": beside(python)}
    root, gate = tmp_path / "runs", tmp_path / "gate"
    backend = LocalBackend(root, **options)
    await backend.start()
    waiting = [
        make_run("wait_until_file", attempt, version=str(attempt), payload={"file": str(gate)}) for attempt in (1, 2)
    ]
    try:
        for run in (told("1", 3), told("2", 4), *waiting):
            await backend.submit(run)
        ends = [await wait_for_end(backend, run) for run in (told("1", 3), told("2", 4))]
        assert [Path(end.outcome["prefix"]) for end in ends if end.outcome] == [Path(sys.prefix), tmp_path / "two"]
        await asyncio.gather(*(wait_until_running(backend, run) for run in waiting))
        await backend.close()
        backend = LocalBackend(root, **options)
        await backend.start()
        gate.touch()
        assert {(await wait_for_end(backend, run)).state for run in waiting} == {"succeeded"}
    finally:
        await backend.shutdown()
