"""A reward model scores prompt and completion together; what is no reward model is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assay_trainer.rewards.base import Scored
from training_ground import CHAT_TEMPLATE, build_tokenizer

pytestmark = pytest.mark.real


def saved_scorer(folder: Path, chat_template: str | None = None) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=259, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_labels=1, pad_token_id=258, max_position_embeddings=64,
    )  # fmt: skip
    model = LlamaForSequenceClassification(config)
    model.save_pretrained(folder)
    build_tokenizer(chat_template).save_pretrained(folder)
    return model.eval()


def test_the_score_is_the_models_output_for_the_whole_text(tmp_path: Path) -> None:
    import torch
    from assay_trainer.rewards.model import ModelRewardFunction

    model, tokenizer = saved_scorer(tmp_path), build_tokenizer()
    reward = ModelRewardFunction(tmp_path, torch.device("cpu"))
    pairs = [("2 + 2 = ", "4"), ("a much longer prompt: ", "and a completion")]
    found = reward([Scored("r", prompt, completion, {}) for prompt, completion in pairs])
    for score, (prompt, completion) in zip(found, pairs, strict=True):
        with torch.no_grad():
            tokens = torch.tensor([tokenizer(prompt + completion + "<eos>")["input_ids"]])
            wanted = float(model(tokens).logits[0, 0])
        assert score == pytest.approx(wanted, abs=1e-5)


def test_messages_are_scored_by_the_models_own_template(tmp_path: Path) -> None:
    import torch
    from assay_trainer.rewards.model import ModelRewardFunction

    saved_scorer(tmp_path, CHAT_TEMPLATE)
    reward = ModelRewardFunction(tmp_path, torch.device("cpu"))
    asked = [{"role": "user", "content": "hello"}]
    first, second = reward([Scored("r", asked, "a", {}), Scored("r", asked, "b", {})])
    assert isinstance(first, float)
    assert first != second


def test_a_causal_model_is_no_reward_model(model_folder: Path) -> None:
    import torch
    from assay_trainer.errors import BadInput
    from assay_trainer.rewards.model import ModelRewardFunction

    with pytest.raises(BadInput, match=r"hyperparameters\.reward\.checkpoint: lacks score\.weight; give a checkpoint"):
        ModelRewardFunction(model_folder, torch.device("cpu"))
