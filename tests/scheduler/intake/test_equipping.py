"""Hardware for experiments that give none."""

from __future__ import annotations

from typing import Any

from assay_scheduler.intake.equipping import standard_hardware
from assay_scheduler.planner import hardware_of
from assay_schemas.cost.shape import ModelShape
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.standard_hardware import hardware_table

LLAMA_8B = ModelShape(
    family="llama", layers=32, hidden=4096, heads=32, kv_heads=8, head_dim=128, feed_forward=14_336, vocabulary=128_256
)
PILOT = LLAMA_8B.model_copy(update={"layers": 1, "hidden": 64, "feed_forward": 128, "vocabulary": 1000})


def spec(hyperparameters: dict[str, Any] | None = None, **more: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "base_model": "file:///models/m",
            "training": {"algorithm": "SFT", "hyperparameters": hyperparameters or {}},
            "arms": [{"name": "a", "dataset": "file:///a.jsonl"}],
            "benchmarks": [{"name": "gsm8k"}],
            **more,
        }
    )


def test_an_8b_model_gets_the_standard_and_people_are_told() -> None:
    found = standard_hardware(spec(), LLAMA_8B, hardware_table())
    assert (hardware_of(found.spec, "training").gpus, hardware_of(found.spec, "eval").gpus) == (8, 1)
    assert found.words == [
        "hardware was not given: the standard for 8B models is used, 8 NVIDIA-H100-80GB-HBM3 for training "
        "and 1 NVIDIA-H100-80GB-HBM3 for an evaluation."
    ]


def test_adapters_get_less() -> None:
    found = standard_hardware(spec({"lora": {"rank": 8}}), LLAMA_8B, hardware_table())
    assert found.spec.hardware.gpus == 2
    assert "for training with adapters" in found.words[0]


def test_what_is_given_is_never_changed() -> None:
    given = spec(hardware={"cpus": 2})
    assert standard_hardware(given, LLAMA_8B, hardware_table()).spec == given
    evals = standard_hardware(spec(evaluation_hardware={"cpus": 2}), LLAMA_8B, hardware_table())
    assert hardware_of(evals.spec, "eval").cpus == 2


def test_a_pilot_and_a_model_of_unknown_shape_keep_the_small_default() -> None:
    for shape in (PILOT, None):
        found = standard_hardware(spec(), shape, hardware_table())
        assert (found.spec.hardware.gpus, found.words) == (0, [])


def test_a_model_beyond_the_largest_standard_must_say_its_hardware() -> None:
    huge = LLAMA_8B.model_copy(update={"hidden": 65_536, "feed_forward": 262_144})
    (problem,) = standard_hardware(spec(), huge, hardware_table()).problems
    assert problem.field == "hardware"
    assert "the largest standard is for 420 billion" in problem.mend
