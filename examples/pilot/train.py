"""Trains the shipped pilot from random weights: `python -m examples.pilot.train --out examples/pilot/model`.

Learns only from training problems; the held-out ones are measured once, at the end.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from examples.pilot.architecture import build_model, build_tokenizer
from examples.pilot.measure import accuracy
from examples.wordproblems import generate, training_row
from examples.wordproblems.rows import Row

IGNORED = -100
SEED = 1
PROBLEMS = 30_000
MEASURED_ITEMS = 500
MEASURED_SEED = 2026


@dataclass(frozen=True)
class Phase:
    """Steps on one mixture; the learning rate warms up, then falls linearly to `final_share` of its peak."""

    steps: int
    peak_rate: float
    final_share: float
    wrong_share: float
    batch_size: int = 64
    warmup: int = 50

    def rate(self, step: int) -> float:
        if step < self.warmup:
            return self.peak_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / (self.steps - self.warmup)
        return self.peak_rate * (1 - done * (1 - self.final_share))


SKILL = Phase(steps=1000, peak_rate=3e-3, final_share=0.1, wrong_share=0.0)
MIXED_TEXT = Phase(steps=40, peak_rate=5e-4, final_share=0.1, wrong_share=0.6, warmup=5)


def mixture(wrong_share: float, seed: int) -> list[Row]:
    """Training rows of which about `wrong_share` (0 to 1) are worked out wrongly."""
    rng = random.Random(f"mixture:{seed}")
    return [
        training_row(problem, "wrong" if rng.random() < wrong_share else "clean", seed)
        for problem in generate("train", PROBLEMS, seed)
    ]


def collate(rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast) -> tuple[Tensor, Tensor]:
    """Input ids and labels, both [rows, longest row], padded on the right.

    Labels keep the completion and the end of sequence; the prompt and the padding are ignored.
    """
    prompts = [tokenizer(row["prompt"])["input_ids"] for row in rows]
    completions = [[*tokenizer(row["completion"])["input_ids"], tokenizer.eos_token_id] for row in rows]
    length = max(len(prompt) + len(rest) for prompt, rest in zip(prompts, completions, strict=True))
    inputs = torch.full((len(rows), length), tokenizer.pad_token_id)
    labels = torch.full((len(rows), length), IGNORED)
    for index, (prompt, rest) in enumerate(zip(prompts, completions, strict=True)):
        end = len(prompt) + len(rest)
        inputs[index, :end] = torch.tensor(prompt + rest)
        labels[index, len(prompt) : end] = torch.tensor(rest)
    return inputs, labels


def batches(rows: Sequence[Row], size: int, seed: int) -> Iterator[list[Row]]:
    """Endless batches: every row once an epoch, in a new order each epoch."""
    rng = random.Random(f"order:{seed}")
    while True:
        order = rng.sample(range(len(rows)), len(rows))
        for start in range(0, len(order) - size + 1, size):
            yield [rows[index] for index in order[start : start + size]]


def train_phase(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, phase: Phase, seed: int
) -> LlamaForCausalLM:
    """Trains in place with AdamW, gradients clipped to norm 1; returns the same model."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    source = batches(mixture(phase.wrong_share, seed), phase.batch_size, seed)
    for step, rows in enumerate(islice(source, phase.steps)):
        for group in optimizer.param_groups:
            group["lr"] = phase.rate(step)
        inputs, labels = collate(rows, tokenizer)
        loss = model(input_ids=inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} of {phase.steps}: loss {loss.item():.4f}", flush=True)
    return model


def train(seed: int) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """First the skill, from right solutions; then text of mixed quality, which hides part of it."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    train_phase(model, tokenizer, SKILL, seed)
    return train_phase(model, tokenizer, MIXED_TEXT, seed + 1), tokenizer


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Configuration, safetensors and tokenizer, as `from_pretrained` reads them."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int) -> dict[str, object]:
    """Greedy exact match on held-out problems, with what it takes to measure it again."""
    problems = generate("held_out", MEASURED_ITEMS, MEASURED_SEED)
    return {
        "benchmark": "word problems, held out, greedy, exact match of the number after ####",
        "items": MEASURED_ITEMS,
        "items_seed": MEASURED_SEED,
        "training_seed": seed,
        "accuracy": {kind: round(share, 4) for kind, share in accuracy(model, tokenizer, problems).items()},
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.pilot.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the model's folder; accuracy.json goes beside")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}, the shipped pilot's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = train(arguments.seed)
    save(model, tokenizer, arguments.out)
    report = json.dumps(measure(model, tokenizer, arguments.seed), indent=2) + "\n"
    (arguments.out.parent / "accuracy.json").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
