"""The online formulas against plain float64 loops written from the papers' equations."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
from assay_schemas.algorithms import PpoHyperparameters
from assay_trainer.algorithms.grpo import EPSILON, group_advantages
from assay_trainer.algorithms.online.objective import (
    clipped_policy_loss,
    clipped_value_loss,
    generalised_advantages,
    importance_weights,
    kl_estimate,
    mismatch_sums,
    whitened,
)
from assay_trainer.algorithms.ppo import token_rewards

pytestmark = pytest.mark.real
DRAW = random.Random(7)
REWARD = {"kind": "verifier", "name": "numeric"}


def numbers(count: int, low: float = -2.0, high: float = 2.0) -> list[float]:
    return [DRAW.uniform(low, high) for _ in range(count)]


def close(found: torch.Tensor, wanted: list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=found.dtype), rtol=1e-5, atol=1e-6)


def test_advantages_are_those_of_deepseekmath_section_4_1_2() -> None:
    rewards = [1.0, 0.0, 0.0, 0.5]
    mean = math.fsum(rewards) / 4
    deviation = math.sqrt(math.fsum((reward - mean) ** 2 for reward in rewards) / 3)
    close(group_advantages(torch.tensor(rewards), scaled=True), [(r - mean) / (deviation + EPSILON) for r in rewards])
    close(group_advantages(torch.tensor(rewards), scaled=False), [r - mean for r in rewards])


@pytest.mark.parametrize("rewards", [[1.0, 1.0, 1.0], [0.3], []])
def test_a_group_without_spread_says_nothing(rewards: list[float]) -> None:
    close(group_advantages(torch.tensor(rewards), scaled=True), [0.0] * len(rewards))


@pytest.mark.parametrize("high", [None, 0.4])
def test_the_policy_loss_is_ppo_equation_7_with_dapos_upper_clip(high: float | None) -> None:
    new, old, advantages = numbers(40, -1, 0), numbers(40, -1, 0), numbers(40)
    ratios = [math.exp(n - o) for n, o in zip(new, old, strict=True)]
    held = [min(max(ratio, 0.8), 1 + (high or 0.2)) for ratio in ratios]
    wanted = [-min(r * a, h * a) for r, h, a in zip(ratios, held, advantages, strict=True)]
    losses, clipped = clipped_policy_loss(*map(torch.tensor, (new, old, advantages)), 0.2, high)
    close(losses, wanted)
    assert clipped.tolist() == [h * a < r * a for r, h, a in zip(ratios, held, advantages, strict=True)]
    assert 0 < int(clipped.sum()) < 40


def test_kl_estimates_are_schulmans_k1_and_k3() -> None:
    policy, reference = numbers(30, -3, 0), numbers(30, -3, 0)
    pairs = list(zip(policy, reference, strict=True))
    close(kl_estimate(torch.tensor(policy), torch.tensor(reference), "k1"), [p - q for p, q in pairs])
    k3 = kl_estimate(torch.tensor(policy), torch.tensor(reference), "k3")
    close(k3, [math.exp(q - p) - 1 - (q - p) for p, q in pairs])
    assert (k3 >= 0).all()


def test_both_kl_estimates_have_the_divergence_as_their_mean() -> None:
    p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.2, 0.5, 0.3])
    wanted = float((p * (p / q).log()).sum())
    for name in ("k1", "k3"):
        assert float((p * kl_estimate(p.log(), q.log(), name)).sum()) == pytest.approx(wanted, rel=1e-5)


def test_advantages_over_time_are_gae_equation_16_summed_as_written() -> None:
    rewards, values, gamma, lam = numbers(9), numbers(9), 0.97, 0.9
    after = [*values[1:], 0.0]
    deltas = [r + gamma * nxt - v for r, nxt, v in zip(rewards, after, values, strict=True)]
    wanted = [math.fsum((gamma * lam) ** k * deltas[t + k] for k in range(9 - t)) for t in range(9)]
    close(generalised_advantages(torch.tensor(rewards), torch.tensor(values), gamma, lam), wanted)


def test_without_discount_returns_are_the_rewards_still_to_come() -> None:
    rewards, values = numbers(6), numbers(6)
    advantages = generalised_advantages(torch.tensor(rewards), torch.tensor(values), 1.0, 1.0)
    close(advantages + torch.tensor(values), [math.fsum(rewards[t:]) for t in range(6)])


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_the_reward_comes_last_less_the_divergence_at_each_token(estimator: Any) -> None:
    options = PpoHyperparameters(reward=REWARD, kl_coefficient=0.3, kl_estimator=estimator)
    policy, reference = numbers(5, -2, 0), numbers(5, -2, 0)
    k1 = [p - q for p, q in zip(policy, reference, strict=True)]
    penalty = k1 if estimator == "k1" else [math.exp(-d) - 1 + d for d in k1]
    wanted = [-0.3 * each for each in penalty]
    wanted[-1] += 2.0
    close(token_rewards(2.0, torch.tensor(policy), torch.tensor(reference), options), wanted)
    close(token_rewards(2.0, torch.tensor(policy), None, options), [0, 0, 0, 0, 2.0])


def test_the_value_loss_is_the_larger_of_free_and_clipped() -> None:
    new, old, returns = numbers(30), numbers(30), numbers(30)
    wanted = [
        0.5 * max((n - r) ** 2, (o + min(max(n - o, -0.2), 0.2) - r) ** 2)
        for n, o, r in zip(new, old, returns, strict=True)
    ]
    close(clipped_value_loss(*map(torch.tensor, (new, old, returns)), 0.2), wanted)


def test_whitening_is_over_all_tokens_of_all_completions() -> None:
    parts = [torch.tensor(numbers(size)) for size in (3, 1, 6)]
    found = torch.cat(whitened(parts))
    assert float(found.mean()) == pytest.approx(0, abs=1e-6)
    assert float(found.std()) == pytest.approx(1, rel=1e-5)
    assert [len(each) for each in whitened(parts)] == [3, 1, 6]
    assert whitened([torch.tensor([2.0])])[0].tolist() == [2.0]


def test_the_weight_of_what_another_engine_drew_is_capped_and_the_mismatch_measured() -> None:
    trainer, engine = torch.tensor([-1.0, -0.5, -3.0]), torch.tensor([-1.0, -2.0, -2.0])
    close(importance_weights(trainer, engine, 2.0), [1.0, 2.0, math.exp(-1)])
    sums = mismatch_sums(trainer, engine)
    assert float(sums["mismatch"]) == pytest.approx(2.5)
    wanted = sum(math.exp(d) - 1 - d for d in (0.0, 1.5, -1.0))
    assert float(sums["mismatch_kl"]) == pytest.approx(wanted, rel=1e-5)
