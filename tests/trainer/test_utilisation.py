"""The operations of a step are those of the schemas' own formula, and MFU is their share of the peak."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from assay_schemas.algorithms import Lora, SftHyperparameters
from assay_schemas.cost.flops import training_flops
from assay_schemas.cost.shape import shape_of
from assay_schemas.experiments import Hardware

pytestmark = pytest.mark.real
CONFIG = {
    "model_type": "llama", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 32,
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_operations_are_counted_sequence_by_sequence(base: Path) -> None:
    import torch
    from assay_trainer.utilisation import work_of

    shape = shape_of(CONFIG)
    assert shape is not None
    for lora in (None, Lora(rank=4)):
        work = work_of(base, Hardware(), SftHyperparameters(lora=lora), torch.device("cpu"))
        assert work is not None
        assert work.flops([3, 5]) == training_flops(shape, [3, 5], lora_rank=4 if lora else None)
        assert work.utilisation(1e9, 1.0) is None


def test_utilisation_is_a_share_of_what_all_known_devices_could_do(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from assay_trainer.utilisation import work_of

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100 80GB HBM3")
    cuda, options = SimpleNamespace(type="cuda"), SftHyperparameters(dtype="bfloat16")
    work = work_of(base, Hardware(gpus=2), options, cuda)
    assert work is not None
    assert work.peak_flops_per_s is not None
    assert work.utilisation(work.peak_flops_per_s, 2.0) == pytest.approx(0.5)
    assert work.peak_flops_per_s == 2 * work_of(base, Hardware(gpus=1), options, cuda).peak_flops_per_s
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a device nobody knows")
    assert work_of(base, Hardware(gpus=1), options, cuda).utilisation(1e9, 1.0) is None


def test_an_architecture_that_is_not_known_has_no_operations(base: Path) -> None:
    import torch
    from assay_trainer.utilisation import work_of

    (base / "config.json").write_text('{"model_type": "none such"}')
    assert work_of(base, Hardware(), SftHyperparameters(), torch.device("cpu")) is None
