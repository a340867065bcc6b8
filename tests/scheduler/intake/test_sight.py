"""A benchmark that shows images is refused at once where the base model sees none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assay_chassis.object_store import MemoryStore
from assay_scheduler.intake.inspection import Inspector
from assay_scheduler.intake.installation import Installation
from assay_scheduler.intake.models import KEPT, ModelIntake, _matches
from assay_scheduler.policy import Resources
from assay_schemas.artifacts import ModelRef


@pytest.mark.parametrize(("config", "problems"), [({"vision_config": {}}, 0), ({"model_type": "llama"}, 1)])
async def test_a_model_that_sees_is_known_by_its_configuration(config: dict[str, Any], problems: int) -> None:
    store = MemoryStore()
    await store.put_bytes("models/m/config.json", json.dumps(config).encode())
    models = ModelIntake(store, None, None, None)  # type: ignore[arg-type]
    inspector = Inspector(None, models, Installation(Resources(1, 0, 1), most_nodes=1))  # type: ignore[arg-type]
    names = ("numeric", "visual_multiple_choice", "gsm8k")
    asked = [(place, {"name": name}) for place, name in enumerate(names)]
    model = ModelRef(uri=store.uri("models/m"), digest="0" * 64)
    found = await inspector._blind_problems(asked, model)
    assert [problem.field for problem in found] == ["benchmarks.1.name"] * problems


async def test_images_on_an_engine_that_takes_none_are_refused_at_once() -> None:
    inspector = Inspector(None, None, Installation(Resources(1, 0, 1), most_nodes=1))  # type: ignore[arg-type]
    names = ("visual_multiple_choice", "numeric", "mmmu_val_art")
    asked = [(place, {"name": name, "engine": "vllm"}) for place, name in enumerate(names)]
    found = await inspector._blind_problems(asked, ModelRef(uri="file:///m", digest="0" * 64))
    assert [problem.field for problem in found] == ["benchmarks.0.engine", "benchmarks.2.engine"]
    assert "vllm takes none" in str(found[0])


def test_what_prepares_images_is_kept_with_a_model() -> None:
    assert _matches("processor_config.json", KEPT)
    assert _matches("preprocessor_config.json", KEPT)
