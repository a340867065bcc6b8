"""Opens what an online run needs: its rollout engine, its rewards, and the stepper that uses both.

Everything opened is closed with the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay_schemas.algorithms import ModelReward, VerifierReward

from assay_trainer.algorithms.base import Surroundings
from assay_trainer.algorithms.online.algorithm import OnlineAlgorithm
from assay_trainer.algorithms.online.collection import Collector, Resampling
from assay_trainer.algorithms.online.samples import Prompt
from assay_trainer.algorithms.online.stepper import OnlineStepper
from assay_trainer.errors import BadInput
from assay_trainer.rewards.base import Reward
from assay_trainer.rewards.verified import VerifiedReward
from assay_trainer.rewards.weighted import WeightedRewards
from assay_trainer.rollouts.base import EngineSettings, RolloutEngine


def open_stepper(algorithm: OnlineAlgorithm, model: Any, around: Surroundings) -> OnlineStepper:
    """Raises BadInput for an engine or a reward that cannot be opened, and prompts longer than the model takes."""
    hyperparameters = algorithm.hyperparameters
    pool = [example for example in around.training if isinstance(example, Prompt)]
    _check_length(model, hyperparameters.max_completion_length + max(prompt.length for prompt in pool))
    scoring = hyperparameters.rewards if around.peers.speaks else []
    rewards = WeightedRewards([(reward.weight, _opened(reward, around)) for reward in scoring])
    around.closing.callback(rewards.close)
    settings = EngineSettings(
        folder=around.base,
        end_ids=end_ids(model, algorithm.tokenizer),
        padding_id=algorithm.padding_id,
        max_tokens=min(_limit(model), hyperparameters.max_length + hyperparameters.max_completion_length),
        seed=around.seed,
        dtype=hyperparameters.dtype,
    )
    engine = _engine(hyperparameters.rollout_engine, settings, around)
    around.closing.callback(engine.close)
    rounds = algorithm.resampling_rounds
    resampling = Resampling(pool, rounds) if rounds else None
    algorithm.peers, algorithm.passing = around.peers, around.passing
    collector = Collector(
        engine,
        rewards,
        algorithm.tokenizer,
        hyperparameters,
        algorithm.samples_each,
        resampling,
        around.peers,
        around.passing,
    )
    return OnlineStepper(model, algorithm, collector, around.seed)


def _engine(name: str, settings: EngineSettings, around: Surroundings) -> RolloutEngine:
    """In this process, or on a Ray cluster beside it."""
    if around.rollout_actors == 0:
        return around.passing.engine(name, settings)
    from assay_trainer.rollouts.actors import open_on_actors

    return open_on_actors(name, settings, around.rollout_actors, gpus=around.device.type == "cuda")


def _opened(reward: VerifierReward | ModelReward, around: Surroundings) -> Reward:
    if isinstance(reward, VerifierReward):
        return VerifiedReward(reward)
    from assay_trainer.rewards.model import ModelRewardFunction

    return ModelRewardFunction(Path(around.model_folder(reward.checkpoint)), around.device)


def _check_length(model: Any, longest: int) -> None:
    if longest > _limit(model):
        raise BadInput(
            f"hyperparameters.max_completion_length: with the longest prompt {longest} tokens, and the model takes "
            f"{_limit(model)}; lower it, or max_length"
        )


def _limit(model: Any) -> int:
    """Tokens that the model takes at once."""
    return int(getattr(model.config, "max_position_embeddings", None) or 2**31)


def end_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The tokens that end a completion: the tokenizer's, and those of the model's generation settings."""
    declared = getattr(model.generation_config, "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(declared if isinstance(declared, list) else [declared])]
    return tuple(dict.fromkeys(int(id_) for id_ in ids if id_ is not None))
