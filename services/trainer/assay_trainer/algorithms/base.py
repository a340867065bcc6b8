"""What an algorithm is to the training loop: it encodes rows and turns a forward pass into a loss.

Never takes an optimizer step and never reads a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from assay_schemas.algorithms import Hyperparameters
from torch import Tensor

from assay_trainer.data.rows import Row


@dataclass(frozen=True)
class Example:
    """A row as an algorithm learns from it.

    `length` is its tokens in a forward pass; `weight` how many terms it has in the loss (0: it cannot
    be learned from).
    """

    row_id: str
    length: int
    weight: int
    truncated: bool


class Algorithm(ABC):
    """One algorithm, with its hyperparameters and the base model's tokenizer."""

    row_formats: ClassVar[tuple[str, ...]]
    hyperparameters_class: ClassVar[type[Hyperparameters]]

    @abstractmethod
    def __init__(self, hyperparameters: Any, tokenizer: Any) -> None: ...

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """An example for each row. Raises BadInput for a row that no policy covers."""

    @abstractmethod
    def loss(self, model: torch.nn.Module, examples: Sequence[Any], device: torch.device) -> Tensor:
        """The sum of the loss over all terms of the examples, one forward pass. Shape: ()."""
