"""The training algorithms that exist, by name. To add one: a file here and a line in ALGORITHMS.

Nothing else in the trainer asks which algorithm it runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay_trainer.algorithms.base import Algorithm
from assay_trainer.algorithms.dpo import Dpo
from assay_trainer.algorithms.grpo import Grpo
from assay_trainer.algorithms.ppo import Ppo
from assay_trainer.algorithms.reward import RewardModelling
from assay_trainer.algorithms.sft import Sft
from assay_trainer.errors import BadInput

ALGORITHMS: Mapping[str, type[Algorithm]] = {
    "SFT": Sft,
    "REWARD": RewardModelling,
    "DPO": Dpo,
    "PPO": Ppo,
    "GRPO": Grpo,
}


def algorithm_named(name: str) -> type[Algorithm]:
    """The algorithm's class. Raises BadInput for one that this engine version does not have."""
    if name not in ALGORITHMS:
        known = ", ".join(sorted(ALGORITHMS))
        raise BadInput(f"training.algorithm: {name} does not run in this engine version; choose one of {known}")
    return ALGORITHMS[name]
