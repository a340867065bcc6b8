"""What intake found out about an experiment's inputs: immutable references that planning builds on.

Values only; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.artifacts import DatasetRef, ModelRef


@dataclass(frozen=True)
class Findings:
    """The base model, each arm's dataset snapshot by arm name, each benchmark's items by its position, each reward
    model by its location; what rollout engine `auto` stands for; each reference arm's model by arm name."""

    model: ModelRef
    datasets: dict[str, DatasetRef]
    items: dict[int, DatasetRef] = field(default_factory=dict)
    rewards: dict[str, ModelRef] = field(default_factory=dict)
    rollout_engine: str = "transformers"
    references: dict[str, ModelRef] = field(default_factory=dict)
