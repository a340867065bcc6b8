"""Ends a row's generation at its first stop sequence, and a batch's when every row has ended.

Never changes the text that counts: what comes after a stop sequence is cut off in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, StoppingCriteria


class RowStops(StoppingCriteria):  # type: ignore[misc]
    """Per row of a batch: whether, and after how many new tokens, a stop sequence was complete.

    A row is looked at only when its newest token could end a stop sequence, and then as the text the
    harness will see: everything generated so far, without special tokens.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        stops: Sequence[str],
        prompt_length: int,
        rows: int,
        beat: Callable[[], None],
    ) -> None:
        self._beat = beat
        self._tokenizer = tokenizer
        self._stops = [stop for stop in stops if stop]
        self._prompt_length = prompt_length
        self._may_end: dict[int, bool] = {}
        self.lengths: list[int | None] = [None] * rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:  # noqa: ARG002
        self._beat()
        if self._stops:
            for row, token in enumerate(input_ids[:, -1].tolist()):
                if self.lengths[row] is None and self._can_end(token):
                    self._look(row, input_ids[row, self._prompt_length :].tolist())
        return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)

    def _look(self, row: int, generated: list[int]) -> None:
        text = self._tokenizer.decode(generated, skip_special_tokens=True)
        if any(stop in text for stop in self._stops):
            self.lengths[row] = len(generated)

    def _can_end(self, token: int) -> bool:
        known = self._may_end.get(token)
        if known is None:
            text = self._tokenizer.decode([token])
            known = any(stop[-1] in text or stop[-1].isspace() for stop in self._stops) or "�" in text
            self._may_end[token] = known
        return known
