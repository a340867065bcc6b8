"""Everything a run will see, encoded before its first step: each step's examples, and those held out.

Encodes only rows that the run comes to, and counts what the length policy did to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from assay_schemas.algorithms import Hyperparameters

from assay_trainer.algorithms.base import Algorithm, Example
from assay_trainer.data.order import batches, steps_of
from assay_trainer.data.rows import Row, Split, validation_limit
from assay_trainer.errors import BadInput


@dataclass(frozen=True)
class Prepared:
    """`batches` holds one list of examples a step; the counts are over the rows that were encoded for training."""

    batches: list[list[Example]]
    validation: list[Example]
    training_rows: int
    truncated: int
    dropped: int

    def examples(self) -> list[Example]:
        """All that the run will see, each once, in the order it sees them."""
        seen = itertools.chain(*self.batches, self.validation)
        return list({id(example): example for example in seen}.values())

    def training(self) -> list[Example]:
        """What the run will train on, each once, in the order it sees them."""
        return list({id(example): example for example in itertools.chain(*self.batches)}.values())

    @property
    def steps(self) -> int:
        return len(self.batches)


@dataclass
class Encoder:
    """Encodes training rows by position, each once, and remembers what became of them."""

    algorithm: Algorithm
    rows: Sequence[Row]
    encoded: dict[int, Example] = field(default_factory=dict)

    def __call__(self, positions: Sequence[int]) -> list[Example | None]:
        new = [position for position in positions if position not in self.encoded]
        examples = self.algorithm.encode([self.rows[position] for position in new])
        self.encoded.update(zip(new, examples, strict=True))
        return [usable(self.encoded[position]) for position in positions]


def usable(example: Example) -> Example | None:
    """None for an example with nothing to learn: dropped, or cut before its first target."""
    return example if example.weight else None


def prepare(split: Split, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int) -> Prepared:
    """Order and encode. Raises BadInput where no row can be learned from."""
    encoder = Encoder(algorithm, split.training)
    steps = _steps(encoder, hyperparameters)
    found = batches(len(split.training), seed, steps, hyperparameters.batch_size, encoder)
    if not found:
        raise BadInput(
            "dataset: no row has anything to learn from within hyperparameters.max_length; raise it, set "
            "overlong to truncate, or give rows with a completion, or with a chosen and a rejected one that differ"
        )
    held_out = split.validation[: validation_limit(steps, hyperparameters.batch_size)]
    seen = encoder.encoded.values()
    return Prepared(
        batches=found,
        validation=[example for example in algorithm.encode(held_out) if usable(example)],
        training_rows=len(split.training),
        truncated=sum(example.truncated for example in seen),
        dropped=sum(not usable(example) for example in seen),
    )


def _steps(encoder: Encoder, hyperparameters: Hyperparameters) -> int:
    if hyperparameters.steps is not None:
        return hyperparameters.steps
    usable_rows = sum(example is not None for example in encoder(range(len(encoder.rows))))
    return steps_of(None, hyperparameters.epochs, usable_rows, hyperparameters.batch_size)
