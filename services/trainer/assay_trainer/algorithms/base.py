"""What an algorithm is to the training loop: it encodes rows and turns a forward pass into a loss.

Never takes an optimizer step and never reads a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from assay_schemas.algorithms import Hyperparameters, ModelKind
from torch import Tensor

from assay_trainer.data.rows import Row
from assay_trainer.passing import Passing, Straight
from assay_trainer.peers import Alone, Peers
from assay_trainer.stepper import Stepper, Stepping


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

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each sequence that it is in a forward pass."""
        return (self.length,)


@dataclass(frozen=True)
class Loss:
    """The sum of the loss over all terms, shape (), and sums over the same terms of what else is worth watching."""

    total: Tensor
    sums: Mapping[str, float | Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """Where a run takes place: its seed, its device, the base model's folder, and a folder for its own files.

    `training`: the examples that the run will train on, each once. `model_folder` gives another model by its
    `sha256:` as a local folder. What is entered into `closing` is closed when the run ends. `peers` are the processes
    that share the run's samples and updates, `passing` how passes go through a model that lies on several of them;
    `rollout_actors` how many others sample.
    """

    seed: int
    device: torch.device
    base: Path
    scratch: Path
    training: Sequence[Example] = ()
    model_folder: Callable[[str], Path] = Path
    closing: ExitStack = field(default_factory=ExitStack)
    peers: Peers = field(default_factory=Alone)
    passing: Passing = field(default_factory=Straight)
    rollout_actors: int = 0


class Algorithm(ABC):
    """One algorithm, with its hyperparameters and the base model's tokenizer."""

    row_formats: ClassVar[tuple[str, ...]]
    hyperparameters_class: ClassVar[type[Hyperparameters]]
    model_kind: ClassVar[ModelKind] = "causal_lm"

    @abstractmethod
    def __init__(self, hyperparameters: Any, tokenizer: Any) -> None: ...

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """An example for each row. Raises BadInput for a row that no policy covers."""

    @abstractmethod
    def loss(self, model: torch.nn.Module, examples: Sequence[Any], device: torch.device) -> Loss:
        """Loss and metrics of the examples, one forward pass; metrics are means over the step's terms in the end."""

    def stepper(self, model: Any, hyperparameters: Hyperparameters, around: Surroundings) -> Stepping:
        """What takes this algorithm's optimizer steps."""
        return Stepper(model, self, hyperparameters, around.seed)

    def before_first_step(  # noqa: B027
        self, base: AbstractContextManager[Any], examples: Sequence[Any], device: torch.device
    ) -> None:
        """Called in every attempt before its first step, with all examples that the run will see, each once.

        Within `base`: the untouched base model, evaluating, without gradients; entered only by who needs it.
        The same examples must always leave the same state behind.
        """
