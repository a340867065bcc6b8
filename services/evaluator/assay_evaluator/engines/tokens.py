"""How likely every generated token was, noted while a batch is generated.

Never changes a score: it stands among the processors of logits and hands on what it was given.
"""

from __future__ import annotations

import torch
from transformers import LogitsProcessor


class TokenLogprobs(LogitsProcessor):  # type: ignore[misc]
    """The natural-log probabilities under the model itself, before temperature and top-p."""

    def __init__(self) -> None:
        self._logits: torch.Tensor | None = None
        self._found: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Logits [rows, vocabulary] of the next token, once the last one is at the end of `input_ids`."""
        self._note(input_ids)
        self._logits = scores
        return scores

    def of(self, output: torch.Tensor) -> list[list[float]]:
        """By row, a value for each new token of the generation that ended with `output` [rows, prompt + new]."""
        self._note(output)
        self._logits = None
        return torch.stack(self._found, dim=1).tolist() if self._found else [[] for _ in output]

    def _note(self, ids: torch.Tensor) -> None:
        if self._logits is not None:
            chosen = self._logits.gather(1, ids[:, -1:]).squeeze(1)
            self._found.append(chosen - self._logits.logsumexp(-1))
