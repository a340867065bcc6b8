"""Whole runs of GRPO and PPO on a small model: they learn, resume to the bit, and survive their rewards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_schemas.results import TrainingResult
from assay_trainer.errors import BadInput, Diverged, Interrupted
from kills import kill
from training_ground import Ground, Watched

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
ROWS = [{"prompt": f"{number} + 1 = ", "answer": str(number + 1)} for number in range(40)]
VOWELS = {"kind": "verifier", "name": "regex", "pattern": "[aeiou]"}
SMALL = {
    "rollout_engine": "transformers",
    "reward": VOWELS,
    "batch_size": 4,
    "steps": 4,
    "max_completion_length": 6,
    "checkpoint_every": 2,
    "validation_share": 0.2,
}
GRPO = {**SMALL, "algorithm": "GRPO", "group_size": 4}
PPO = {**SMALL, "algorithm": "PPO", "batch_size": 8, "minibatches": 2, "minibatch_epochs": 2}


def digests(result: TrainingResult) -> dict[int, str]:
    return {saved.checkpoint.step: saved.checkpoint.digest for saved in result.checkpoints}


def records(result: TrainingResult) -> list[dict[str, Any]]:
    assert result.metrics is not None
    lines = Path(result.metrics.uri.removeprefix("file://")).read_text().splitlines()
    return [json.loads(line) for line in lines]


def trained(record: dict[str, Any]) -> dict[str, float]:
    """The step's metrics but for those of held-out prompts, which an interrupted step has as well."""
    return {name: value for name, value in record["metrics"].items() if not name.startswith("validation")}


@pytest.mark.parametrize(
    "changes",
    [
        GRPO,
        {**GRPO, "dynamic_sampling": True, "kl_coefficient": 0.1, "minibatches": 2, "loss": "dapo"},
        PPO,
        {**PPO, "lora": {"rank": 4}},
    ],
    ids=["grpo", "grpo-dynamic-kl", "ppo", "ppo-lora"],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    train: Train, train_afresh: Train, ground: Ground, changes: dict[str, Any]
) -> None:
    data = ground.dataset(ROWS)
    with pytest.raises(Interrupted):
        train(ground.request(data, **changes), Watched(stop_after=3))
    resumed = train(ground.request(data, attempt=2, **changes))
    whole = train_afresh(ground.request(data, **changes))
    assert resumed.resumed_from_step == 3
    assert digests(resumed) == digests(whole)
    assert [trained(each) for each in records(resumed)] == [trained(each) for each in records(whole)]


@pytest.mark.parametrize("changes", [GRPO, PPO], ids=["grpo", "ppo"])
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    train: Train, train_afresh: Train, ground: Ground, changes: dict[str, Any]
) -> None:
    data = ground.dataset(ROWS)
    kill(train, ground.request(data, **changes), ground.root, after=3)
    resumed = train(ground.request(data, attempt=2, **changes))
    whole = train_afresh(ground.request(data, **changes))
    assert resumed.resumed_from_step == 2
    assert digests(resumed) == digests(whole)


def test_checkpoints_are_plain_causal_models(train: Train, ground: Ground) -> None:
    from transformers import AutoModelForCausalLM

    result = train(ground.request(ground.dataset(ROWS), **PPO))
    folder = result.checkpoints[-1].checkpoint.uri.removeprefix("file://")
    _, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({**GRPO, "group_size": 8, "batch_size": 8}, 20), ({**PPO, "batch_size": 64, "kl_coefficient": 0.0}, 20)],
    ids=["grpo", "ppo"],
)
def test_it_learns_what_is_rewarded(train: Train, ground: Ground, changes: dict[str, Any], steps: int) -> None:
    """From random weights: to write a vowel among six characters."""
    settings = {**changes, "steps": steps, "checkpoint_every": steps, "learning_rate": 5e-3, "schedule": "constant"}
    found = records(train(ground.request(ground.dataset(ROWS), **settings)))
    rewards = [each["metrics"]["reward"] for each in found]
    assert rewards[0] < 0.4
    assert sum(rewards[-4:]) / 4 > 0.6
    assert found[-1]["metrics"]["validation_reward"] == -found[-1]["validation_loss"]


def test_what_people_watch_is_reported(train: Train, ground: Ground) -> None:
    grpo = records(train(ground.request(ground.dataset(ROWS), **{**GRPO, "kl_coefficient": 0.1, "steps": 2})))
    shared = {
        "reward", "reward_std", "reward_failures", "completion_length", "truncated_share", "groups_without_spread",
        "kl", "entropy", "clip_fraction", "mismatch", "mismatch_kl", "validation_reward",
    }  # fmt: skip
    assert shared <= grpo[-1]["metrics"].keys()
    ppo = records(train(ground.request(ground.dataset(ROWS), **{**PPO, "steps": 2})))
    assert shared | {"policy_loss", "value_loss"} <= ppo[-1]["metrics"].keys()
    assert 0 <= ppo[-1]["metrics"]["mismatch"] < 1e-4


def test_rewards_that_fail_are_counted_and_the_run_goes_on(train: Train, ground: Ground) -> None:
    rows = [{**row, "answer": "none"} if number % 2 else row for number, row in enumerate(ROWS)]
    numeric = {"kind": "verifier", "name": "numeric"}
    found = records(train(ground.request(ground.dataset(rows), **{**GRPO, "reward": numeric})))
    assert sum(each["metrics"]["reward_failures"] for each in found) > 0
    assert len(found) == 4


def test_a_policy_that_is_no_longer_finite_is_told_with_its_step_and_rows(train: Train, ground: Ground) -> None:
    changes = {**GRPO, "learning_rate": 1e38, "gradient_clip": 0.0, "warmup_share": 0.0}
    with pytest.raises(Diverged, match="not finite at step 2, rows "):
        train(ground.request(ground.dataset(ROWS), **changes))


def test_a_reward_that_always_fails_learns_nothing_and_ends_well(
    train: Train, ground: Ground, model_folder: Path
) -> None:
    from safetensors.torch import load_file

    rows = [{**row, "answer": "none"} for row in ROWS]
    changes = {**PPO, "reward": {"kind": "verifier", "name": "numeric"}, "steps": 2}
    result = train(ground.request(ground.dataset(rows), **changes))
    saved = load_file(Path(result.checkpoints[-1].checkpoint.uri.removeprefix("file://")) / "model.safetensors")
    base = load_file(model_folder / "model.safetensors")
    assert all(bool((saved[name] == base[name]).all()) for name in base)
    assert [each.validation_loss for each in result.checkpoints] == [None]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": {"kind": "verifier", "name": "code_tests"}}, ": has nothing in 'tests'"),
        ({"reward": {"kind": "model", "checkpoint": "sha256:" + "0" * 64}}, "hyperparameters.reward.checkpoint"),
        ({"max_completion_length": 600}, "hyperparameters.max_completion_length: with the longest prompt 6"),
        ({"rollout_engine": "auto"}, "hyperparameters.rollout_engine: auto is not known"),
        ({"reward": {"kind": "verifier", "name": "numerical"}}, "hyperparameters.reward.name"),
    ],
)
def test_what_cannot_run_is_refused_with_its_field(
    train: Train, ground: Ground, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        train(ground.request(ground.dataset(ROWS), **{**GRPO, **changes}))
    assert words in str(caught.value)


def test_the_score_of_a_reward_model_counts(train: Train, ground: Ground) -> None:
    """A model whose head is zero gives every completion the same score, and so no spread to learn from."""
    from training_ground import build_tokenizer
    from transformers import LlamaConfig, LlamaForSequenceClassification

    folder = ground.root / "models" / ("e" * 64)
    config = LlamaConfig(
        vocab_size=259, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_labels=1, pad_token_id=258,
    )  # fmt: skip
    scorer = LlamaForSequenceClassification(config)
    scorer.score.weight.data.zero_()
    scorer.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    changes = {**GRPO, "reward": [{"kind": "model", "checkpoint": "sha256:" + "e" * 64}, {**VOWELS, "weight": 0.5}]}
    found = records(train(ground.request(ground.dataset(ROWS), **{**changes, "steps": 1})))
    assert set(found[0]["metrics"]) >= {"reward", "reward_std"}
    assert 0 <= found[0]["metrics"]["reward"] <= 0.5
