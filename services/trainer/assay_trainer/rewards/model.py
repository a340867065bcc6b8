"""A sequence-classification model as a reward: its one output for prompt and completion.

Reads safetensors only and never trains; the same weights score every step alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from assay_trainer.errors import BadInput
from assay_trainer.rewards.base import Score, Scored

ROWS_IN_ONE_PASS = 32


class ModelRewardFunction:
    """Scores by a reward model's single logit (Bradley–Terry reward, in nats)."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises BadInput for a folder that is no sequence classifier with one output."""
        self._device = device
        self._model = load_reward_model(folder).to(device).eval()
        self._tokenizer = _tokenizer(folder)
        self._model.config.pad_token_id = self._tokenizer.pad_token_id
        limit = getattr(self._model.config, "max_position_embeddings", None)
        self._options = {"truncation": True, "max_length": limit} if limit else {}

    def __call__(self, samples: Sequence[Scored]) -> list[Score]:
        texts = [self._text(sample) for sample in samples]
        scores: list[Score] = []
        for start in range(0, len(texts), ROWS_IN_ONE_PASS):
            scores += self._logits(texts[start : start + ROWS_IN_ONE_PASS])
        return scores

    def _text(self, sample: Scored) -> str:
        if isinstance(sample.prompt, str):
            return sample.prompt + sample.completion + (self._tokenizer.eos_token or "")
        messages = [*sample.prompt, {"role": "assistant", "content": sample.completion}]
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False)
        return text

    def _logits(self, texts: Sequence[str]) -> list[float]:
        batch = self._tokenizer(list(texts), padding=True, return_tensors="pt", **self._options)
        kept = {name: batch[name].to(self._device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            logits_B1 = self._model(**kept).logits
        return [float(score) for score in logits_B1[:, 0]]

    def close(self) -> None:
        """Nothing runs beside it."""


def load_reward_model(folder: Path) -> Any:
    """Raises BadInput where the folder has no such model."""
    from transformers import AutoModelForSequenceClassification

    mend = "give a checkpoint of a REWARD run, or another sequence classifier with one output"
    if not any(folder.glob("*.safetensors")):
        raise BadInput(f"hyperparameters.reward.checkpoint: has no *.safetensors; {mend}")
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"hyperparameters.reward.checkpoint: cannot be loaded ({error}); {mend}") from error
    if missing := sorted(report["missing_keys"]):
        raise BadInput(f"hyperparameters.reward.checkpoint: lacks {', '.join(missing[:3])}; {mend}")
    return model


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"hyperparameters.reward.checkpoint: its tokenizer cannot be read ({error})") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer
