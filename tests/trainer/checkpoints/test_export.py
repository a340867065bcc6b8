"""A checkpoint is a plain Hugging Face folder that others load, and an adapter is one that PEFT loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_schemas.results import TrainingResult
from training_ground import Ground, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
LORA = {"lora": {"rank": 4, "alpha": 64.0}, "learning_rate": 1e-2}


def last(result: TrainingResult) -> Path:
    return Path(result.checkpoints[-1].checkpoint.uri.removeprefix("file://"))


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(torch.arange(40)[None]).logits


def test_a_checkpoint_loads_with_transformers_and_has_learned(train: Train, ground: Ground) -> None:
    import torch

    folder = last(train(ground.request()))
    base = load(Path(ground.model.uri.removeprefix("file://")))
    assert not torch.allclose(logits(load(folder)), logits(base))


def test_a_checkpoint_has_the_tokenizer_of_the_base_model(train: Train, ground: Ground) -> None:
    from transformers import AutoTokenizer

    folder = last(train(ground.request()))
    base = Path(ground.model.uri.removeprefix("file://"))
    assert (folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert AutoTokenizer.from_pretrained(folder)("2+2=")["input_ids"]


def test_a_lora_checkpoint_is_a_plain_model_that_equals_base_and_adapter_in_peft(train: Train, ground: Ground) -> None:
    import torch
    from peft import PeftModel

    folder = last(train(ground.request(**LORA)))
    base = load(Path(ground.model.uri.removeprefix("file://")))
    untouched = logits(base)
    theirs = logits(PeftModel.from_pretrained(base, folder / "adapter").eval())
    ours = logits(load(folder))
    assert not torch.allclose(ours, untouched, atol=1e-3)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_exporting_leaves_the_model_in_training_as_it_was(train_afresh: Train, ground: Ground) -> None:
    often = train_afresh(ground.request(checkpoint_every=1, **LORA))
    seldom = train_afresh(ground.request(checkpoint_every=10, **LORA))
    assert often.checkpoints[-1].checkpoint.digest == seldom.checkpoints[-1].checkpoint.digest


def test_only_adapters_are_trained_with_lora(train: Train, ground: Ground) -> None:
    from safetensors.torch import load_file

    folder = last(train(ground.request(**{**LORA, "lora": {"rank": 2, "target_modules": ["q_proj"]}})))
    names = list(load_file(folder / "adapter" / "adapter_model.safetensors"))
    assert len(names) == 4
    assert all(".q_proj." in name for name in names)
    base = load_file(Path(ground.model.uri.removeprefix("file://")) / "model.safetensors")
    tuned = load_file(folder / "model.safetensors")
    changed = {name for name in base if not base[name].equal(tuned[name])}
    assert changed == {name for name in base if "q_proj" in name}


def test_a_reward_model_s_adapter_holds_its_head_too(train: Train, ground: Ground) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    request = ground.request(ground.dataset(preferences(64)), algorithm="REWARD", **LORA)
    folder = last(train(request))
    base = Path(ground.model.uri.removeprefix("file://"))
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    theirs = logits(PeftModel.from_pretrained(model, folder / "adapter").eval())
    ours = logits(AutoModelForSequenceClassification.from_pretrained(folder).eval())
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
