"""What online training needs besides prompts: columns of the rows, and reward models by what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
from assay_chassis.object_store import MemoryStore
from assay_scheduler.findings import Findings
from assay_scheduler.intake.cache import MemoryCache
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.inspection import Inspection, Inspector
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.intake.rewards import reward_checkpoints, truth_columns
from assay_scheduler.planner import plan_experiment
from assay_scheduler.policy import Resources
from assay_schemas.artifacts import CheckpointRef, manifest_key
from assay_schemas.jobs import TrainingInputs
from assay_schemas.results import SavedCheckpoint, TrainingResult
from scheduler_plans import ID

NUMERIC = {"kind": "verifier", "name": "numeric"}
TESTS = {"kind": "verifier", "name": "code_tests", "column": "checks"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return cases.write_files(tmp_path)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def inspector(store: MemoryStore, tmp_path: Path) -> Inspector:
    locations = Locations(store, [tmp_path], tmp_path / "scratch", lambda _: store)
    hub, scratch = HubModels(offline=True, cache=tmp_path / "hub"), tmp_path / "intake"
    scratch.mkdir()
    models = ModelIntake(store, locations, MemoryCache(), hub)
    datasets = DatasetIntake(store, locations, MemoryCache(), scratch)
    return Inspector(datasets, models, Installation(Resources(8, 0, 64), most_nodes=1, rollout_engine="vllm"))


def grpo(files: Path, reward: Any, **hyperparameters: Any) -> dict[str, Any]:
    document = next(case for case in cases.valid_cases() if case.id == "grpo-verifier").located(files)
    document["training"]["hyperparameters"] = {"reward": reward, **hyperparameters}
    return document


def fields(found: Inspection) -> list[str]:
    return [problem.field for problem in found.problems]


def planned(found: Inspection) -> list[TrainingInputs]:
    assert isinstance(found.findings, Findings)
    assert found.spec is not None
    plan = plan_experiment(found.spec, found.findings, experiment_id=ID, owner="o")
    return [job.inputs for job in plan.jobs if isinstance(job.inputs, TrainingInputs)]


def test_verifiers_name_the_columns_they_compare_with() -> None:
    assert truth_columns({"reward": [NUMERIC, TESTS, NUMERIC]}) == ("answer", "checks")
    assert truth_columns({"reward": {"kind": "verifier", "name": "regex", "pattern": "x"}}) == ()
    assert truth_columns({"reward": {"kind": "unknown"}}) == truth_columns("no mapping") == ()


def test_reward_models_are_found_by_their_field() -> None:
    model = {"kind": "model", "checkpoint": "m"}
    assert reward_checkpoints({"reward": model}, "h") == {"h.reward.checkpoint": "m"}
    assert reward_checkpoints({"reward": [NUMERIC, model]}, "h") == {"h.reward.1.checkpoint": "m"}


async def test_rows_without_the_column_of_a_reward_are_refused_with_the_mend(inspector, files: Path) -> None:
    found = await inspector.inspect(grpo(files, TESTS))
    assert fields(found) == ["arms.0.dataset"]
    assert "GRPO needs prompt + checks" in str(found.problems[0])
    assert fields(await inspector.inspect(grpo(files, NUMERIC))) == []


async def test_an_arm_with_a_reward_of_its_own_needs_its_own_columns(inspector, files: Path) -> None:
    document = grpo(files, NUMERIC)
    document["arms"].append({**document["arms"][0], "name": "b", "training": {"hyperparameters": {"reward": TESTS}}})
    assert fields(await inspector.inspect(document)) == ["arms.1.dataset"]


async def test_a_reward_model_that_is_not_there_is_a_problem_of_its_field(inspector, files: Path) -> None:
    missing = {"kind": "model", "checkpoint": str(files / "MODELS" / "none")}
    assert fields(await inspector.inspect(grpo(files, missing))) == ["training.hyperparameters.reward.checkpoint"]
    outside = {"kind": "model", "checkpoint": "../../etc"}
    found = await inspector.inspect(grpo(files, [NUMERIC, outside]))
    assert fields(found) == ["training.hyperparameters.reward.1.checkpoint"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"architectures": ["LlamaForCausalLM"]},
            "is no reward model but LlamaForCausalLM. Give a checkpoint",
        ),
        ({"id2label": {"0": "bad", "1": "good"}}, "has 2 outputs"),
    ],
)
async def test_what_is_no_reward_model_is_refused_before_anything_is_planned(
    inspector, files: Path, changes: dict[str, Any], words: str
) -> None:
    config = files / "MODELS" / "reward" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    found = await inspector.inspect(grpo(files, {"kind": "model", "checkpoint": str(files / "MODELS" / "reward")}))
    assert fields(found) == ["training.hyperparameters.reward.checkpoint"]
    assert words in str(found.problems[0])


async def test_a_reward_model_is_in_the_job_key_by_its_digest_not_its_place(inspector, files: Path) -> None:
    (files / "MODELS" / "reward" / "extra.json").write_text("{}")
    reward = {"kind": "model", "checkpoint": str(files / "MODELS" / "reward")}
    first = planned(await inspector.inspect(grpo(files, reward)))
    (files / "MODELS" / "reward").rename(files / "MODELS" / "moved")
    moved = {"kind": "model", "checkpoint": str(files / "MODELS" / "moved")}
    assert planned(await inspector.inspect(grpo(files, moved))) == first
    assert first[0].hyperparameters["reward"]["checkpoint"].startswith("sha256:")


async def test_auto_is_settled_at_planning_and_a_named_engine_stays(inspector, files: Path) -> None:
    (settled, *_) = planned(await inspector.inspect(grpo(files, NUMERIC)))
    assert (settled.rollout_engine, settled.hyperparameters["rollout_engine"]) == ("vllm", "vllm")
    (named, *_) = planned(await inspector.inspect(grpo(files, NUMERIC, rollout_engine="transformers")))
    assert named.rollout_engine == "transformers"


async def test_a_training_run_as_reward_model_is_its_best_checkpoint(inspector, store, files: Path) -> None:
    model = await inspector.models.take(str(files / "MODELS" / "reward"))
    (files / "MODELS" / "reward" / "config.json").write_text('{"model_type": "gemma"}')
    worse = await inspector.models.take(str(files / "MODELS" / "reward"))
    key, inputs = "c" * 64, planned(await inspector.inspect(grpo(files, NUMERIC)))[0]
    saved = [
        SavedCheckpoint(checkpoint=CheckpointRef(uri=each.uri, digest=each.digest, step=step), validation_loss=loss)
        for step, (each, loss) in enumerate([(worse, 0.5), (model, 0.25), (worse, 0.75)])
    ]
    result = TrainingResult(
        job_key=key, attempt=1, completed_at=datetime.now(UTC), inputs=inputs, checkpoints=saved, steps=3, rows=1,
        validation_rows=1,
    )  # fmt: skip
    await store.put_bytes(manifest_key(key, 1), result.model_dump_json().encode())
    assert (await inspector.models.take(f"training:{key}")).digest == model.digest
    found = await inspector.inspect(grpo(files, {"kind": "model", "checkpoint": "training:" + "d" * 64}))
    assert "has no finished run" in str(found.problems[0])
