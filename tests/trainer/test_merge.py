"""An adapter that was kept alone becomes a plain model where it is wanted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_schemas.results import TrainingResult
from training_ground import Ground, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
LORA = {"lora": {"rank": 4, "alpha": 64.0}, "learning_rate": 1e-2, "steps": 2}


def trained(train: Train, ground: Ground, **changes: Any) -> Path:
    data = ground.dataset(preferences(32)) if changes.get("algorithm") == "REWARD" else None
    result = train(ground.request(data, **{**LORA, **changes}))
    return Path(result.checkpoints[-1].checkpoint.uri.removeprefix("file://"))


def base_of(ground: Ground) -> Path:
    return Path(ground.model.uri.removeprefix("file://"))


def merge(ground: Ground, adapter: Path, output: Path, *options: str) -> int:
    from assay_trainer.merge import main

    return main(["--base", str(base_of(ground)), "--adapter", str(adapter), "--output", str(output), *options])


@pytest.mark.parametrize("algorithm", ["SFT", "REWARD"])
def test_the_merged_model_is_the_checkpoint_to_the_bit(
    train: Train, ground: Ground, tmp_path: Path, algorithm: str
) -> None:
    folder = trained(train, ground, algorithm=algorithm)
    assert merge(ground, folder / "adapter", tmp_path / "merged") == 0
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (folder / name).read_bytes()
    assert merge(ground, folder / "adapter", tmp_path / "merged") == 1


def test_it_is_written_in_half_the_size_where_that_is_asked(train: Train, ground: Ground, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = trained(train, ground)
    assert merge(ground, folder / "adapter", tmp_path / "merged", "--dtype", "bfloat16") == 0
    assert str(AutoModelForCausalLM.from_pretrained(tmp_path / "merged").dtype) == "torch.bfloat16"
    size = (folder / "model.safetensors").stat().st_size
    assert (tmp_path / "merged" / "model.safetensors").stat().st_size < 0.6 * size


def test_what_is_no_adapter_of_this_model_is_refused(
    train: Train, ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = shutil.copytree(trained(train, ground) / "adapter", tmp_path / "adapter")
    described = json.loads((adapter / "adapter_config.json").read_text())
    for change, said in (
        ({"use_dora": True}, "use_dora; only plain LoRA"),
        ({"r": 2}, "does not fit this base model"),
        ({"r": None}, "cannot be read"),
    ):
        (adapter / "adapter_config.json").write_text(json.dumps(described | change))
        assert merge(ground, adapter, tmp_path / "merged") == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()
