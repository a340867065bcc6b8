"""The engine for reward models: a score for prompt and answer stands where a language model has a likelihood.

Never generates text; a benchmark that needs any is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from lm_eval.api.model import LM
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay_evaluator.engines.base import EngineSettings, GenerationLog, Progress, conversation
from assay_evaluator.engines.weights import swap_weights
from assay_evaluator.failures import bad_input


class ScorerEngine(LM):  # type: ignore[misc]
    """A sequence-classification model with one label, one score for each text and its end token.

    A text longer than the model's context has the score NaN, so that its item fails and no other does.
    """

    def __init__(self, settings: EngineSettings, progress: Progress) -> None:
        super().__init__()
        options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        model = AutoModelForSequenceClassification.from_pretrained(
            settings.folder, dtype=getattr(torch, settings.dtype), use_safetensors=True, **options
        )
        self._model = model.to(settings.device).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(settings.folder, **options)
        self._settings = settings
        self._progress = progress
        self.generations = GenerationLog()

    def swap(self, folder: Path) -> bool:
        """Goes on with another folder's weights; False where it cannot, and nothing has changed."""
        return swap_weights(self._model, folder)

    @property
    def has_chat_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The conversation up to where the answer begins."""
        return conversation(self._tokenizer, chat_history, add_generation_prompt)

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        """The score of each (prompt, answer), in the place of its log-likelihood; never greedy."""
        self._progress.expect(len(requests))
        texts = [self._tokens(*request.args) for request in requests]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        scores = [math.nan] * len(texts)
        for start in range(0, len(order), self._settings.batch_size):
            places = order[start : start + self._settings.batch_size]
            fitting = [place for place in places if len(texts[place]) <= self._longest()]
            for place, score in zip(fitting, self._score([texts[place] for place in fitting]), strict=True):
                scores[place] = score
            self._progress.rows_done(len(places))
        return [(score, False) for score in scores]

    def _tokens(self, prompt: str, answer: str) -> list[int]:
        tokens: list[int] = self._tokenizer(prompt + answer + (self._tokenizer.eos_token or ""))["input_ids"]
        return tokens

    def _longest(self) -> int:
        return int(getattr(self._model.config.get_text_config(), "max_position_embeddings", None) or 2**31)

    @torch.inference_mode()
    def _score(self, texts: Sequence[list[int]]) -> list[float]:
        if not texts:
            return []
        longest, padding = max(map(len, texts)), self._model.config.get_text_config().pad_token_id
        ids = torch.tensor([text + [padding] * (longest - len(text)) for text in texts], device=self._settings.device)
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts], device=ids.device)
        scores: list[float] = self._model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
        return scores

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> NoReturn:
        _no_text(len(requests))

    def generate_until(self, requests: list[Any], **_: Any) -> NoReturn:
        _no_text(len(requests))


def open_engine(settings: EngineSettings, progress: Progress) -> ScorerEngine:
    return ScorerEngine(settings, progress)


def _no_text(requests: int) -> NoReturn:
    raise bad_input(f"inputs.benchmark: asks {requests} texts of a reward model, which has none; use preference")
