"""Exact match of a model's greedy answers to word problems, in total and by kind of problem.

Only reads the model; never changes it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from examples.wordproblems import Problem

ANSWER = re.compile(r"#### (-?[0-9]+)")
MAX_NEW_TOKENS = 48


def extracted(response: str) -> str | None:
    """The number after the last `####`, or None when there is none."""
    found = ANSWER.findall(response)
    return found[-1] if found else None


@torch.inference_mode()
def responses(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], batch_size: int = 100
) -> list[str]:
    """Greedy continuations, at most `MAX_NEW_TOKENS` tokens each, in the order of the prompts."""
    model.eval()
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    texts: dict[int, str] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = tokenizer([prompts[index] for index in chosen], return_tensors="pt", padding=True, padding_side="left")
        output = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=False,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        new = output[:, batch["input_ids"].shape[1] :]
        texts.update(zip(chosen, tokenizer.batch_decode(new, skip_special_tokens=True), strict=True))
    return [texts[index] for index in range(len(prompts))]


def accuracy(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Problem]
) -> dict[str, float]:
    """Share of problems (0 to 1) answered exactly, under `all` and under each kind."""
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for problem, response in zip(
        problems, responses(model, tokenizer, [problem.prompt for problem in problems]), strict=True
    ):
        correct = extracted(response) == str(problem.answer)
        by_kind["all"].append(correct)
        by_kind[problem.kind].append(correct)
    return {kind: sum(results) / len(results) for kind, results in sorted(by_kind.items())}
