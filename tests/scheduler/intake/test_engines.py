"""Engines and actors are taken where a system has them, and refused with the mend elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
from assay_chassis.object_store import MemoryStore
from assay_scheduler.intake.cache import MemoryCache
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.inspection import Inspector
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.planner import plan_experiment
from assay_scheduler.policy import Resources
from assay_scheduler.settings import SchedulerSettings
from assay_schemas.jobs import EvalInputs
from scheduler_plans import ID


def inspector(root: Path, *engines: str, backend: str = "local") -> Inspector:
    store = MemoryStore()
    locations = Locations(store, [root], root / "scratch", lambda _: store)
    models = ModelIntake(store, locations, MemoryCache(), HubModels(offline=True, cache=root / "hub"))
    (root / "intake").mkdir(exist_ok=True)
    datasets = DatasetIntake(store, locations, MemoryCache(), root / "intake")
    there = Installation(Resources(8, 0, 64), most_nodes=1, backend=backend, evaluation_engines=engines)
    return Inspector(datasets, models, there)


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    files = cases.write_files(tmp_path)
    document = next(case for case in cases.valid_cases() if case.id == "grpo-verifier").located(files)
    document["benchmarks"][0]["engine"] = "vllm"
    return document


async def test_an_engine_that_no_evaluator_has_is_refused_with_the_mend(document, tmp_path: Path) -> None:
    found = await inspector(tmp_path, "transformers").inspect(document)
    assert [problem.field for problem in found.problems] == ["benchmarks.0.engine"]
    assert "vllm is not installed where this system evaluates" in str(found.problems[0])
    assert "ASSAY_EVALUATES_WITH_VLLM" in str(found.problems[0])


async def test_what_this_system_lacks_is_said_beside_whatever_else_is_wrong(document, tmp_path: Path) -> None:
    document |= {"qestion": "?", "hardware": {"cpus": 99, "gpu": 1}, "evaluation_hardware": {"memory_gib": 999}}
    document["arms"][0]["notes"] = "x" * 70_000
    document["arms"][0]["training"] = {"notes": "x" * 70_000}
    document["benchmarks"].append({"name": "visual_multiple_choice", "engine": "vllm"})
    found = await inspector(tmp_path, "transformers").inspect(document)
    last = len(document["benchmarks"]) - 1
    assert {problem.field for problem in found.problems} >= {
        "qestion", "hardware.cpus", "hardware.gpu", "evaluation_hardware.memory_gib", "arms.0.notes",
        "arms.0.training", "benchmarks.0.engine", f"benchmarks.{last}.engine",
    }  # fmt: skip


async def test_an_engine_that_evaluators_have_is_the_same_for_control_and_every_arm(document, tmp_path: Path) -> None:
    found = await inspector(tmp_path, "transformers", "vllm").inspect(document)
    assert found.problems == []
    plan = plan_experiment(found.spec, found.findings, experiment_id=ID, owner="o")
    asked = [job.inputs for job in plan.jobs if isinstance(job.inputs, EvalInputs)]
    first = document["benchmarks"][0]["name"]
    assert {inputs.engine for inputs in asked if inputs.benchmark == first} == {"vllm"}


async def test_actors_that_sample_beside_the_trainer_are_refused_without_ray(document, tmp_path: Path) -> None:
    del document["benchmarks"][0]["engine"]
    document["hardware"] = {"cpus": 1, "rollout_actors": 2}
    found = await inspector(tmp_path, "transformers").inspect(document)
    assert [problem.field for problem in found.problems] == ["hardware.rollout_actors"]
    assert "are only on the ray backend, and this system's is local" in str(found.problems[0])
    assert (await inspector(tmp_path, "transformers", backend="ray").inspect(document)).problems == []


def test_what_evaluators_have_is_what_is_said_or_what_is_installed_here(monkeypatch) -> None:
    there = SchedulerSettings(evaluates_with_vllm=True, _env_file=None)
    assert there.evaluation_engines == {"transformers", "vllm"}
    for found, engines in ((object(), {"transformers", "vllm"}), (None, {"transformers"})):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=found: found)
        assert SchedulerSettings().evaluation_engines == engines
