"""What the rewards of online training need besides prompts: columns to compare with, and models that score.

Reads the raw hyperparameters, so that a broken specification still has its rewards looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay_schemas.algorithms import ModelReward, Reward, VerifierReward
from pydantic import TypeAdapter, ValidationError

_REWARD: TypeAdapter[VerifierReward | ModelReward] = TypeAdapter(Reward)


def rewards_of(hyperparameters: Any, prefix: str) -> Iterator[tuple[str, VerifierReward | ModelReward]]:
    """Each reward that can be read, with its field path."""
    declared = hyperparameters.get("reward") if isinstance(hyperparameters, Mapping) else None
    places = enumerate(declared) if isinstance(declared, list) else [(None, declared)]
    for place, reward in places:
        try:
            read = _REWARD.validate_python(reward)
        except ValidationError:
            continue
        yield f"{prefix}.reward" if place is None else f"{prefix}.reward.{place}", read


def truth_columns(hyperparameters: Any) -> tuple[str, ...]:
    """The columns that verifiers compare with."""
    found = [reward.truth for _, reward in rewards_of(hyperparameters, "") if isinstance(reward, VerifierReward)]
    return tuple(dict.fromkeys(column for column in found if column))


def reward_checkpoints(hyperparameters: Any, prefix: str) -> dict[str, str]:
    """The locations of reward models, by field path."""
    return {
        f"{path}.checkpoint": reward.checkpoint
        for path, reward in rewards_of(hyperparameters, prefix)
        if isinstance(reward, ModelReward)
    }


def hyperparameters_in(part: Mapping[str, Any]) -> Any:
    """What stands under `training.hyperparameters` of a document or of one of its arms."""
    training = part.get("training")
    return training.get("hyperparameters") if isinstance(training, Mapping) else None
