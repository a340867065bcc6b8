"""What every rollout engine must do, as functions of an engine that was given a model's weights.

Shared by the engines' tests; holds no test itself.
"""

from __future__ import annotations

from typing import Any

import torch
from assay_trainer.rollouts.base import Completion, RolloutEngine, Sampling

PROMPTS = [[72, 101], [72, 101, 108, 108, 111, 32, 119], [50]]
SAMPLED = Sampling(temperature=0.7, top_p=1.0, max_tokens=12)
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=12)


def logprobs_of(model: Any, prompt: list[int], completion: Completion, temperature: float) -> torch.Tensor:
    """From one plain forward pass, without a cache."""
    tokens = torch.tensor([[*prompt, *completion.tokens]])
    with torch.no_grad():
        logits_TV = model(tokens).logits[0, len(prompt) - 1 : -1].float() / (temperature or 1.0)
    return logits_TV.log_softmax(-1).gather(1, torch.tensor(completion.tokens)[:, None])[:, 0]


def check_shapes_and_ends(engine: RolloutEngine, end_id: int) -> None:
    groups = engine.generate(PROMPTS, 4, SAMPLED, 1)
    assert [len(group) for group in groups] == [4, 4, 4]
    for completion in (completion for group in groups for completion in group):
        assert len(completion.tokens) == len(completion.logprobs) <= 12
        assert (completion.finish_reason == "stop") == (completion.tokens[-1] == end_id)
        assert end_id not in completion.tokens[:-1]
    assert len({completion.tokens for completion in groups[0]}) > 1


def check_repeatable(engine: RolloutEngine) -> None:
    first = engine.generate(PROMPTS, 3, SAMPLED, 5)
    tokens = [[completion.tokens for completion in group] for group in first]
    again = engine.generate(PROMPTS, 3, SAMPLED, 5)
    assert tokens == [[completion.tokens for completion in group] for group in again]
    part = engine.generate(PROMPTS[1:], 3, SAMPLED, 5, 1)
    assert tokens[1:] == [[completion.tokens for completion in group] for group in part]
    other = engine.generate(PROMPTS, 3, SAMPLED, 6)
    assert tokens != [[completion.tokens for completion in group] for group in other]


def check_logprobs(engine: RolloutEngine, model: Any) -> None:
    for sampling in (SAMPLED, GREEDY):
        for prompt, group in zip(PROMPTS, engine.generate(PROMPTS, 2, sampling, 2), strict=True):
            for completion in group:
                wanted = logprobs_of(model, prompt, completion, sampling.temperature)
                torch.testing.assert_close(torch.tensor(completion.logprobs), wanted, atol=1e-4, rtol=0)


def check_greedy_is_the_likeliest(engine: RolloutEngine, model: Any) -> None:
    for prompt, (completion,) in zip(PROMPTS, engine.generate(PROMPTS, 1, GREEDY, 0), strict=True):
        tokens = torch.tensor([[*prompt, *completion.tokens]])
        with torch.no_grad():
            wanted = model(tokens).logits[0, len(prompt) - 1 : -1].argmax(-1)
        assert list(completion.tokens) == wanted.tolist()


def check_weights_are_followed(engine: RolloutEngine, model: Any) -> None:
    """New weights count at once, for prompts that were read before too."""
    engine.update_weights(model)
    engine.generate(PROMPTS, 1, GREEDY, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    engine.update_weights(model)
    check_logprobs(engine, model)
