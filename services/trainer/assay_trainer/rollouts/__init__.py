"""The rollout engines by name. To add one: its file and its line here.

Never imports an engine before it is opened.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from assay_trainer.errors import BadInput
from assay_trainer.rollouts.base import EngineSettings, RolloutEngine

ROLLOUT_ENGINES: Mapping[str, str] = {
    "transformers": "assay_trainer.rollouts.transformers",
    "vllm": "assay_trainer.rollouts.vllm",
}


def open_engine(name: str, settings: EngineSettings) -> RolloutEngine:
    """Raises BadInput for an engine that this version or this environment does not have."""
    if name not in ROLLOUT_ENGINES:
        known = ", ".join(ROLLOUT_ENGINES)
        raise BadInput(f"hyperparameters.rollout_engine: {name} is not known; choose one of {known}")
    engine: RolloutEngine = importlib.import_module(ROLLOUT_ENGINES[name]).open_engine(settings)
    return engine
