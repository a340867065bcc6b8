"""Training algorithms as configuration: which exist, their hyperparameters, and what their data must hold.

To add one: a class here and a line in ALGORITHMS; its loss is one file in the trainer.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from assay_schemas.answers import compiles
from assay_schemas.problems import at_odds

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

    EITHER: ClassVar[tuple[tuple[str, str], ...]] = (("steps", "epochs"),)

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
    keep_checkpoints: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda kept: kept is None,  # what keeps all is the same work as before there was a choice
        description="the newest ones that stay, beside the one with the lowest validation loss; default all",
    )
    validation_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    divergence_patience: int = Field(default=1, ge=1, description="non-finite losses in a row before failing")

    @model_validator(mode="after")
    def _one_length(self) -> Hyperparameters:
        if words := at_odds(type(self), vars(self)):
            raise ValueError(words)
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


VerifierName = Literal["exact_match", "numeric", "regex", "code_tests", "json_schema"]
TRUTH_COLUMNS: dict[VerifierName, str | None] = {
    "exact_match": "answer",
    "numeric": "answer",
    "regex": None,
    "code_tests": "tests",
    "json_schema": "schema",
}
"""The column of a row that each verifier compares with; the regex needs none."""


class VerifierReward(Closed):
    """A rule that scores a completion from 0 to 1, against a column of its row."""

    kind: Literal["verifier"]
    name: VerifierName
    weight: float = 1.0
    pattern: str | None = Field(
        default=None,
        max_length=2000,
        description="regex: what must be found in the completion; exact_match, numeric: where its answer is",
    )
    column: str | None = Field(default=None, min_length=1, description="in place of answer, tests or schema")
    tolerance: float = Field(default=0.0, ge=0.0, description="numeric: largest absolute difference that is right")
    timeout_s: Annotated[float, Field(gt=0.0, le=600.0)] = 10.0

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        return value and compiles(value)

    @model_validator(mode="after")
    def _pattern_where_used(self) -> VerifierReward:
        if self.name == "regex" and self.pattern is None:
            raise ValueError("regex needs a pattern")
        if self.name in ("code_tests", "json_schema") and self.pattern is not None:
            raise ValueError(f"{self.name} takes no pattern; leave it out")
        return self

    @property
    def truth(self) -> str | None:
        """The column that a row needs for it."""
        return TRUTH_COLUMNS[self.name] and (self.column or TRUTH_COLUMNS[self.name])


class ModelReward(Closed):
    """A sequence-classification model's score: at a location, or `training:` and the job key of a REWARD run."""

    kind: Literal["model"]
    checkpoint: str = Field(min_length=1)
    weight: float = 1.0


def _kind_of(reward: Any) -> str | None:
    kind = reward.get("kind") if isinstance(reward, dict) else getattr(reward, "kind", None)
    return f"[{kind}]" if kind in ("verifier", "model") else None


def _one_or_many(reward: Any) -> str:
    return "[many]" if isinstance(reward, list) else "[one]"


# Tags in brackets are left out of the field paths of problems.
Reward = Annotated[
    Annotated[VerifierReward, Tag("[verifier]")] | Annotated[ModelReward, Tag("[model]")],
    Discriminator(_kind_of, custom_error_type="reward_kind", custom_error_message="needs kind: verifier or model"),
]
Rewards = Annotated[
    Annotated[Reward, Tag("[one]")] | Annotated[list[Reward], Field(min_length=1, max_length=16), Tag("[many]")],
    Discriminator(_one_or_many),
]


class RolloutHyperparameters(Hyperparameters):
    """What algorithms that sample from the policy share; lengths in tokens.

    A step samples for `batch_size` prompts, each of at most `max_length` tokens, and then makes
    `minibatch_epochs` passes of `minibatches` updates over what was sampled.
    """

    reward: Rewards
    rollout_engine: Literal["auto", "transformers", "vllm"] = "auto"
    temperature: Positive = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    max_completion_length: int = Field(default=256, ge=1)
    clip: Positive = 0.2
    kl_coefficient: float = Field(default=0.0, ge=0.0)
    kl_estimator: Literal["k1", "k3"] = "k3"
    minibatch_epochs: int = Field(default=1, ge=1)
    minibatches: int = Field(default=1, ge=1, description="updates in one pass over a step's samples")
    importance_cap: Positive = Field(default=2.0, description="largest weight for the engine's mismatch")

    @property
    def rewards(self) -> list[VerifierReward | ModelReward]:
        return self.reward if isinstance(self.reward, list) else [self.reward]

    @property
    def truth_columns(self) -> tuple[str, ...]:
        """What rows must have beside a prompt, for the verifiers."""
        found = [reward.truth for reward in self.rewards if isinstance(reward, VerifierReward)]
        return tuple(dict.fromkeys(column for column in found if column))


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
    dynamic_sampling: bool = Field(default=False, description="replace groups whose rewards are all equal")
    resampling_rounds: int = Field(default=3, ge=1, le=100, description="at most, in dynamic sampling")


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
        Algorithm(name="PPO", hyperparameters=PpoHyperparameters, row_formats=("prompt",)),
        Algorithm(name="GRPO", hyperparameters=GrpoHyperparameters, row_formats=("prompt",)),
    )
}
