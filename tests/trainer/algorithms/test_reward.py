"""The reward model's loss is Bradley-Terry's, however its documents are laid out, and it learns what is planted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from assay_schemas.results import TrainingResult
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput
from pairs_ground import numbered, planted, reward, scorer, shuffled_labels
from training_ground import Ground, lines, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
LEARNING = {"algorithm": "REWARD", "steps": 80, "batch_size": 32, "learning_rate": 1e-2, "validation_share": 0.3}


def score_alone(model: Any, tokens: Any) -> float:
    """By transformers' own forward pass, one document at a time."""
    import torch

    with torch.no_grad():
        return float(model(input_ids=tokens.long()[None], use_cache=False).logits.squeeze())


def test_the_loss_and_its_metrics_are_those_of_the_formulas(model_folder: Path) -> None:
    import torch

    rows = [{**row, "margin": 0.5 * number} for number, row in enumerate(preferences(5))]
    model, algorithm = scorer(model_folder), reward(centring=0.1)
    pairs = algorithm.encode(numbered(rows))
    chosen = numpy.array([score_alone(model, pair.chosen.tokens_T) for pair in pairs])
    rejected = numpy.array([score_alone(model, pair.rejected.tokens_T) for pair in pairs])
    apart = chosen - rejected - 0.5 * numpy.arange(5)
    expected = numpy.sum(numpy.log1p(numpy.exp(-apart)) + 0.1 * (chosen + rejected) ** 2)
    loss = algorithm.loss(model, pairs, torch.device("cpu"))
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(loss.sums["accuracy"]) == numpy.sum(chosen > rejected)
    assert float(loss.sums["reward_margin"].detach()) == pytest.approx(numpy.sum(chosen - rejected), rel=1e-4)


def test_packed_pairs_and_padded_pairs_have_the_same_loss_and_gradient(model_folder: Path) -> None:
    import torch

    found = []
    for attention in ("assay_packed", "sdpa"):
        model, algorithm = scorer(model_folder), reward()
        model.set_attn_implementation(attention)
        loss = algorithm.loss(model, algorithm.encode(numbered(preferences(6))), torch.device("cpu")).total
        loss.backward()
        found.append((float(loss.detach()), [parameter.grad for parameter in model.parameters()]))
    (packed_loss, packed_gradients), (padded_loss, padded_gradients) = found
    assert packed_loss == pytest.approx(padded_loss, rel=1e-6)
    for left, right in zip(packed_gradients, padded_gradients, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_equal_scores_count_half() -> None:
    import torch
    from assay_trainer.algorithms.pairs import share_won

    assert share_won(torch.tensor([1.0, 0.0, -1.0, 0.0])) == 2.0


def test_the_head_comes_from_the_seed_alone(model_folder: Path) -> None:
    import torch

    torch.manual_seed(1)
    first = scorer(model_folder, seed=5).score.weight
    torch.manual_seed(2)
    again, other = scorer(model_folder, seed=5).score.weight, scorer(model_folder, seed=6).score.weight
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize("margin", ["wide", True, math.inf])
def test_a_margin_that_is_no_number_is_refused_with_its_line(margin: Any) -> None:
    with pytest.raises(BadInput, match="line 2: margin is not a finite number"):
        reward().encode([Row("a", 2, {"prompt": "a", "chosen": "b", "rejected": "c", "margin": margin})])


def validation_accuracy(result: TrainingResult) -> float:
    assert result.metrics is not None
    records = lines(Path(result.metrics.uri.removeprefix("file://")))
    assert 0 <= records[-1]["metrics"]["accuracy"] <= 1
    return float(records[-1]["metrics"]["validation_accuracy"])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_preference_is_learned_and_random_labels_are_not(train: Train, ground: Ground, seed: int) -> None:
    rows = planted(600, seed)
    learned = train(ground.request(ground.dataset(rows), seed=seed, **LEARNING))
    random = train(ground.request(ground.dataset(shuffled_labels(rows, seed)), seed=seed, **LEARNING))
    assert validation_accuracy(learned) >= 0.9
    assert 0.35 <= validation_accuracy(random) <= 0.65


@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_the_checkpoint_is_a_plain_classifier_that_gives_the_same_scores(
    train: Train, ground: Ground, lora: dict[str, int] | None
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    request = ground.request(ground.dataset(planted(80)), **{**LEARNING, "steps": 20, "lora": lora})
    result = train(request)
    last = result.checkpoints[-1]
    folder = Path(last.checkpoint.uri.removeprefix("file://"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.num_labels == 1
    algorithm = reward()
    pairs = algorithm.encode(numbered(planted(6, seed=9)))
    texts = [f"{row['prompt']}{row['chosen']}<eos>" for row in planted(6, seed=9)]
    padded = tokenizer(texts, padding=True, return_tensors="pt")
    scores = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).logits.squeeze(-1)
    alone = [score_alone(model, pair.chosen.tokens_T) for pair in pairs]
    assert scores.tolist() == pytest.approx(alone, abs=1e-4)
    assert max(alone) - min(alone) > 1e-3
