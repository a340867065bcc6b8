"""Training algorithms as configuration: which exist, their hyperparameters, and what their data must hold.

To add one: a class here and a line in ALGORITHMS; its loss is one file in the trainer.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

AlgorithmName = Literal["SFT", "REWARD", "DPO", "PPO", "GRPO"]
ENGINE_VERSIONS = ("1",)
NEWEST_ENGINE = ENGINE_VERSIONS[-1]
ModelKind = Literal["causal_lm", "sequence_classification"]

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(Closed):
    """Low-rank adapters (Hu et al. 2021): rank, scale alpha / rank, and the modules they are put on."""

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: Positive = 32.0
    dropout: Fraction = 0.0
    target_modules: list[str] | Literal["all-linear"] = "all-linear"


class Hyperparameters(Closed):
    """What every algorithm's optimisation has; one step is one optimizer update."""

    steps: int | None = Field(default=None, ge=1, description="optimizer steps; or give epochs")
    epochs: Positive | None = Field(default=None, description="passes over the training rows")
    batch_size: int = Field(default=32, ge=1, description="rows in one optimizer step")
    micro_batch_size: int | None = Field(default=None, ge=1, description="rows in one forward pass")
    learning_rate: Positive = 1e-4
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup_share: Fraction = 0.03
    weight_decay: float = Field(default=0.0, ge=0.0)
    adam_beta1: Fraction = 0.9
    adam_beta2: Fraction = 0.999
    gradient_clip: float = Field(default=1.0, ge=0.0, description="largest gradient norm; 0 is no limit")
    max_length: int = Field(default=1024, ge=8, description="tokens in one row")
    overlong: Literal["truncate", "drop"] = "truncate"
    lora: Lora | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int | None = Field(default=None, ge=1, description="steps; default a fifth of the run")
    validation_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    divergence_patience: int = Field(default=1, ge=1, description="non-finite losses in a row before failing")

    @model_validator(mode="after")
    def _one_length(self) -> Hyperparameters:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        return self


class SftHyperparameters(Hyperparameters):
    loss_on: Literal["completion", "all"] = "completion"
    packing: bool = True
    neftune_alpha: float = Field(default=0.0, ge=0.0)


class RewardHyperparameters(Hyperparameters):
    centring: float = Field(default=0.0, ge=0.0)


class DpoHyperparameters(Hyperparameters):
    beta: Positive = 0.1
    loss: Literal["sigmoid", "ipo", "length_normalised"] = "sigmoid"
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0


class VerifierReward(Closed):
    kind: Literal["verifier"]
    name: Literal["exact_match", "numeric", "regex", "code_tests", "json_schema"]
    weight: float = 1.0
    pattern: str | None = None


class ModelReward(Closed):
    kind: Literal["model"]
    checkpoint: str = Field(min_length=1)
    weight: float = 1.0


Reward = Annotated[VerifierReward | ModelReward, Field(discriminator="kind")]


class RolloutHyperparameters(Hyperparameters):
    """What algorithms that sample from the policy share; lengths in tokens."""

    reward: Reward | list[Reward]
    rollout_engine: Literal["auto", "transformers", "vllm"] = "auto"
    temperature: Positive = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    max_completion_length: int = Field(default=256, ge=1)
    clip: Positive = 0.2
    kl_coefficient: float = Field(default=0.0, ge=0.0)
    kl_estimator: Literal["k1", "k3"] = "k3"
    minibatch_epochs: int = Field(default=1, ge=1)


class PpoHyperparameters(RolloutHyperparameters):
    gamma: Fraction = 1.0
    gae_lambda: Fraction = 0.95
    value_clip: Positive = 0.2
    value_coefficient: Positive = 0.1
    kl_coefficient: float = Field(default=0.05, ge=0.0)
    minibatch_epochs: int = Field(default=4, ge=1)


class GrpoHyperparameters(RolloutHyperparameters):
    group_size: int = Field(default=8, ge=2)
    clip_high: Positive | None = None
    loss: Literal["grpo", "dr_grpo", "dapo"] = "grpo"
    dynamic_sampling: bool = False


class Algorithm(Closed):
    """One training algorithm: its configuration, the rows it learns from, the models it makes, whether it runs yet."""

    name: AlgorithmName
    hyperparameters: type[Hyperparameters]
    row_formats: tuple[str, ...]
    trains: ModelKind = "causal_lm"
    available: bool = True


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            name="SFT",
            hyperparameters=SftHyperparameters,
            row_formats=("messages", "prompt_completion", "text"),
        ),
        Algorithm(
            name="REWARD",
            hyperparameters=RewardHyperparameters,
            row_formats=("preference",),
            trains="sequence_classification",
        ),
        Algorithm(name="DPO", hyperparameters=DpoHyperparameters, row_formats=("preference",)),
        Algorithm(name="PPO", hyperparameters=PpoHyperparameters, row_formats=("prompt",), available=False),
        Algorithm(name="GRPO", hyperparameters=GrpoHyperparameters, row_formats=("prompt",), available=False),
    )
}
