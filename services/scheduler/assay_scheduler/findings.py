"""What intake found out about an experiment's inputs: immutable references that planning builds on.

Values only; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.artifacts import DatasetRef, ModelRef


@dataclass(frozen=True)
class Findings:
    model: ModelRef
    """The base model."""
    datasets: dict[str, DatasetRef]
    """Each arm's dataset snapshot, by arm name."""
    items: dict[int, DatasetRef] = field(default_factory=dict)
    """Benchmarks' items, by the benchmark's place in the specification."""
    rewards: dict[str, ModelRef] = field(default_factory=dict)
    """Reward models, by the location that names them."""
    rollout_engine: str = "transformers"
    """What `auto` stands for here."""
    references: dict[str, ModelRef] = field(default_factory=dict)
    """Each reference arm's model, by arm name."""
