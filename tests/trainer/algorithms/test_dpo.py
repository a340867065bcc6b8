"""DPO's losses are those of their papers, its reference is the untouched base model, and it learns a preference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from assay_schemas.results import TrainingResult
from pairs_ground import dpo, numbered, planted, policy
from training_ground import Ground, lines, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
BETA = 0.3


def logprob_alone(model: Any, document: Any) -> float:
    """log p of the answer, document by document, through transformers' own forward pass."""
    import torch

    tokens = document.tokens_T.long()
    with torch.no_grad():
        logprobs = model(input_ids=tokens[None], use_cache=False).logits[0].log_softmax(-1)
    return sum(float(logprobs[at - 1, tokens[at]]) for at in document.targets_N.tolist())


def expected_losses(policy_model: Any, reference: Any, pairs: Any, loss: str, smoothing: float) -> Any:
    """The papers' equations, in float64."""
    ratios = numpy.array(
        [
            [
                logprob_alone(policy_model, each) - logprob_alone(reference, each)
                for each in (pair.chosen, pair.rejected)
            ]
            for pair in pairs
        ]
    )
    if loss != "sigmoid":
        ratios /= numpy.array([[pair.chosen.targets, pair.rejected.targets] for pair in pairs])
    delta = ratios[:, 0] - ratios[:, 1]
    if loss == "ipo":
        right, wrong = (delta - 1 / (2 * BETA)) ** 2, (-delta - 1 / (2 * BETA)) ** 2
    else:
        right, wrong = numpy.log1p(numpy.exp(-BETA * delta)), numpy.log1p(numpy.exp(BETA * delta))
    return (1 - smoothing) * right + smoothing * wrong


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", ["sigmoid", "ipo", "length_normalised"])
def test_the_losses_are_those_of_the_papers(loss: str, smoothing: float) -> None:
    import torch

    algorithm = dpo(loss=loss, beta=BETA, label_smoothing=smoothing)
    pairs = algorithm.encode(numbered(preferences(5)))
    trained, reference = policy(1), policy(2)
    algorithm.before_first_step(contextlib.nullcontext(reference), pairs, torch.device("cpu"))
    found = algorithm.loss(trained, pairs, torch.device("cpu"))
    expected = expected_losses(trained, reference, pairs, loss, smoothing)
    assert float(found.total.detach()) == pytest.approx(expected.sum(), rel=1e-5)


def test_packed_pairs_and_padded_pairs_have_the_same_loss_and_gradient() -> None:
    import torch

    found = []
    for attention in ("assay_packed", "sdpa"):
        model, algorithm = policy(), dpo()
        model.set_attn_implementation(attention)
        pairs = algorithm.encode(numbered(preferences(6)))
        algorithm.before_first_step(contextlib.nullcontext(policy(2)), pairs, torch.device("cpu"))
        loss = algorithm.loss(model, pairs, torch.device("cpu")).total
        loss.backward()
        found.append((float(loss.detach()), [parameter.grad for parameter in model.parameters()]))
    (packed_loss, packed_gradients), (padded_loss, padded_gradients) = found
    assert packed_loss == pytest.approx(padded_loss, rel=1e-6)
    for left, right in zip(packed_gradients, padded_gradients, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def records(result: TrainingResult) -> list[dict[str, Any]]:
    assert result.metrics is not None
    return lines(Path(result.metrics.uri.removeprefix("file://")))


@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_the_first_step_starts_from_the_reference(train: Train, ground: Ground, lora: dict[str, int] | None) -> None:
    request = ground.request(ground.dataset(planted(64)), algorithm="DPO", steps=1, batch_size=16, lora=lora)
    [first] = records(train(request))
    assert first["loss"] == pytest.approx(numpy.log(2), abs=1e-6)
    assert first["metrics"]["reward_margin"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_held_out_preference_comes_to_be_preferred(train: Train, ground: Ground, seed: int) -> None:
    request = ground.request(
        ground.dataset(planted(400, seed)),
        algorithm="DPO",
        seed=seed,
        steps=60,
        batch_size=32,
        learning_rate=3e-3,
        validation_share=0.3,
        checkpoint_every=60,
    )
    last = records(train(request))[-1]["metrics"]
    assert last["validation_accuracy"] >= 0.8
    assert last["validation_reward_margin"] > 0
    assert last["validation_logprob_chosen"] < 0
