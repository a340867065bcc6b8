"""Standard hardware: the right size for a model, and what the estimate says of each."""

from pathlib import Path

import pytest
from assay_schemas.cost.estimate import evaluation_cost, training_cost
from assay_schemas.cost.hardware import device_named
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import Length, TokenSample
from assay_schemas.jobs import EvalInputs, TrainingInputs
from assay_schemas.standard_hardware import HardwareTableUnreadable, StandardHardware, hardware_table

DIGEST = "0" * 64
ROWS = TokenSample(
    rows=10_000, sampled_rows=1, lengths=(Length(prompt_tokens=256, tokens=1024),), source="bytes_per_token"
)


def llama(
    layers: int, hidden: int, heads: int, feed_forward: int, *, kv_heads: int = 8, tied: bool = False
) -> ModelShape:
    return ModelShape(
        family="llama",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=128,
        feed_forward=feed_forward,
        vocabulary=128_256,
        tied=tied,
    )


MODELS = {
    "3B": llama(28, 3072, 24, 8192, tied=True),
    "8B": llama(32, 4096, 32, 14_336),
    "30B": llama(64, 5120, 64, 25_600),
    "70B": llama(80, 8192, 64, 28_672),
    "400B": llama(126, 16_384, 128, 53_248),
}
SIZES = {size.name: size for size in hardware_table().sizes}


def training(size: StandardHardware, **hyperparameters: object) -> bool | None:
    inputs = TrainingInputs(
        algorithm="SFT",
        engine_version="1",
        model=DIGEST,
        dataset=DIGEST,
        seed=0,
        hyperparameters={"dtype": "bfloat16", "micro_batch_size": 1, "max_length": 1024, **hyperparameters},
    )
    hardware = size.adapters if "lora" in hyperparameters else size.training
    return training_cost(inputs, MODELS[size.name], ROWS, hardware).fits


@pytest.mark.parametrize("name", SIZES)
def test_a_models_size_is_found_by_its_parameters(name: str) -> None:
    size = hardware_table().size_of(MODELS[name].parameters)
    assert size is not None
    assert size.name == name


def test_a_pilot_has_no_standard_and_neither_has_a_model_beyond_the_largest() -> None:
    assert hardware_table().size_of(1_000_000) is None
    assert hardware_table().size_of(10**12) is None


@pytest.mark.parametrize("name", SIZES)
def test_training_fits_by_the_estimate_whole_and_with_adapters(name: str) -> None:
    assert training(SIZES[name]) is True
    assert training(SIZES[name], lora={"rank": 16}) is True


@pytest.mark.parametrize(("name", "fits"), [("3B", True), ("8B", True), ("30B", True), ("70B", True), ("400B", False)])
def test_an_evaluation_fits_by_the_estimate_but_of_the_largest(name: str, fits: bool) -> None:
    """In this version a model is evaluated in one process, and no device holds 400 billion parameters."""
    inputs = EvalInputs(
        benchmark="gsm8k",
        harness_version="lm-eval-0.4.13",
        parameters={"max_tokens": 256, "batch_size": 8},
        engine="transformers",
        dtype="bfloat16",
        model=DIGEST,
    )
    assert evaluation_cost(inputs, MODELS[name], None, SIZES[name].evaluation).fits is fits


def test_every_device_in_the_table_is_one_that_the_estimate_knows() -> None:
    for size in SIZES.values():
        for hardware in (size.training, size.adapters, size.evaluation):
            assert device_named(hardware.gpu_type) is not None, size.name


def test_a_table_that_cannot_be_read_names_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("from_parameters: 1.0e+9\nsizes: [{name: 3B, up_to_parameters: 5.0e+8}]\n")
    with pytest.raises(HardwareTableUnreadable, match=r"own\.yaml: sizes\.0\.training: is required"):
        hardware_table(file)
