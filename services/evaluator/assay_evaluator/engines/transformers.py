"""The transformers engine: lm-eval's own HFLM on a local folder, with cheaper generation and no silent crash.

Gives the numbers HFLM gives, to the bit; never downloads, never runs a model's own code.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from assay_evaluator.contamination.membership import Scores, min_k
from assay_evaluator.engines.base import EngineSettings, Generation, Progress
from assay_evaluator.engines.batches import batches_of
from assay_evaluator.engines.cache import reserved_cache
from assay_evaluator.engines.stopping import RowStops
from assay_evaluator.engines.tokens import TokenLogprobs
from assay_evaluator.engines.told import ToldEngine
from assay_evaluator.engines.weights import swap_weights


def open_engine(settings: EngineSettings, progress: Progress) -> TransformersEngine:
    return TransformersEngine(settings, progress)


def seed_of_batch(seed: int, number: int) -> int:
    """A batch draws its samples from a seed of its own, so that they do not depend on who computed those before."""
    return int.from_bytes(hashlib.sha256(f"{seed}\x1f{number}".encode()).digest()[:7], "big")


class TransformersEngine(ToldEngine, HFLM):  # type: ignore[misc]
    """HFLM whose rows stop on their own, and which remembers how each of them ended."""

    def __init__(self, settings: EngineSettings, progress: Progress) -> None:
        super().__init__(
            pretrained=str(settings.folder),
            device=settings.device,
            dtype=settings.dtype,
            batch_size=settings.batch_size,
            trust_remote_code=False,
            use_safetensors=True,
        )
        self._ended: deque[Generation] = deque()
        self.first_batch = 0
        self._batch = 0
        self._seed = 0
        self.watch(progress)

    def swap(self, folder: Path) -> bool:
        """Goes on with another folder's weights; False where it cannot, and nothing has changed."""
        return swap_weights(self.model, folder)

    def batches(self, kind: str, requests: list[Any]) -> list[tuple[list[int], float]]:
        """The requests' places, batch by batch as they are computed here, each with what it is expected to cost."""
        return batches_of(self, kind, requests)

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        self._progress.expect(len(requests))
        self._seed, self._batch, self.first_batch = torch.initial_seed(), self.first_batch, 0
        texts: list[str] = super().generate_until(requests, disable_tqdm=True)
        torch.manual_seed(self._seed)
        return texts

    def membership(self, requests: list[Any]) -> list[Scores]:
        """Min-K% and Min-K%++ of each request's (text, share), text by text, of as much as the context holds."""
        self._progress.expect(len(requests))
        return [self._familiar(*request.args) for request in requests]

    def _familiar(self, text: str, share: float) -> Scores:
        ids = torch.tensor(self.tok_encode(text)[: self.max_length], dtype=torch.long, device=self.device)
        if len(ids) < 2:
            self._progress.rows_done(1)
            return 0, None, None
        return min_k(self._model_call(ids[None])[0, :-1], ids[1:], share)

    def _model_call(self, inps: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        logits: torch.Tensor = super()._model_call(inps, *args, **kwargs)
        self._progress.rows_done(len(inps))
        return logits

    def _model_generate(self, context: torch.Tensor, max_length: int, stop: list[str], **settings: Any) -> torch.Tensor:
        """Token ids [rows, prompt + new]. The same tokens as HFLM's up to each row's first stop sequence."""
        temperature = settings.pop("temperature", 0.0)
        if temperature:
            settings["temperature"] = temperature
        settings["do_sample"] = bool(settings.get("do_sample", temperature > 0))
        if settings["do_sample"]:
            torch.manual_seed(seed_of_batch(self._seed, self._batch))
        self._batch += 1
        rows, prompt_length = context.shape
        logprobs = TokenLogprobs()
        stops = RowStops(self.tokenizer, stop, prompt_length, rows, self._progress.beat)
        output: torch.Tensor = self.model.generate(
            input_ids=context,
            max_length=max_length,
            stopping_criteria=[stops],
            logits_processor=[logprobs],
            pad_token_id=self.tokenizer.pad_token_id,
            use_cache=True,
            past_key_values=reserved_cache(self.model.config, max_length),
            **settings,
        )
        self._remember(output[:, prompt_length:].tolist(), stops.lengths, logprobs.of(output))
        self._progress.rows_done(rows)
        return output

    def _remember(
        self, generated: Sequence[list[int]], lengths: Sequence[int | None], logprobs: Sequence[list[float]]
    ) -> None:
        last = self._end_tokens()
        for tokens, length, likely in zip(generated, lengths, logprobs, strict=True):
            ends = [position for position, token in enumerate(tokens) if token in last]
            stopped = [value for value in (length, ends[0] + 1 if ends else None) if value is not None]
            reason = "stop" if stopped else "length"
            count = min(stopped, default=len(tokens))
            self._ended.append(Generation(count, reason, tuple(tokens[:count]), tuple(likely[:count])))

    def _end_tokens(self) -> set[int]:
        declared = self.model.generation_config.eos_token_id
        return {self.eot_token_id} | set(declared if isinstance(declared, list) else [declared])

    def answered(self, prompt: str, settings: Mapping[str, Any]) -> None:
        self.generations.add(prompt, settings, self._ended.popleft())
