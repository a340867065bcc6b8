"""How well a reward model trained here tells right solutions from wrong ones, on real problems it has not seen.

Pairs of GSM8K's published model solutions; the interval is over problems and seeds. No time is measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from typing import Any

from benchmarks import results_file
from benchmarks.gsm8k_pairs import ROOT, Pair, pairs

MODEL = ROOT / "examples" / "pilot" / "model"
GOAL = {"interval_low": "> 0.5"}
HELD_OUT = 0.3
SALT = "reward-on-real-pairs"


def split(found: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Pairs to learn from and pairs to be judged, no problem on both sides."""
    from assay_schemas.datasets import in_share

    held_out = [pair for pair in found if in_share(pair["problem"], HELD_OUT, SALT)]
    return [pair for pair in found if pair not in held_out], held_out


def accuracies(learned: list[Pair], judged: list[Pair], seed: int, steps: int, options: dict[str, Any]) -> list[float]:
    """1, 0.5 or 0 for each judged pair, by a reward model that the trainer made with this seed."""
    import torch
    from assay_schemas.algorithms import RewardHyperparameters
    from assay_trainer.algorithms.reward import RewardModelling
    from assay_trainer.data.prepare import prepare
    from assay_trainer.data.rows import Row
    from assay_trainer.model import load_scorer, load_tokenizer, padding_id_of
    from assay_trainer.stepper import Stepper

    hyperparameters = RewardHyperparameters(steps=steps, validation_share=0.0, **options)
    tokenizer = load_tokenizer(MODEL)
    algorithm = RewardModelling(hyperparameters, tokenizer)
    rows = [Row(f"{pair['problem']}-{place}", place, pair) for place, pair in enumerate([*learned, *judged])]
    batches = prepare(rows[: len(learned)], algorithm, hyperparameters, seed).batches
    model = load_scorer(MODEL, torch.device("cpu"), padding_id_of(tokenizer), seed)
    stepper = Stepper(model, algorithm, hyperparameters, seed)
    for number, batch in enumerate(batches):
        outcome = stepper.step(number, steps, batch)
        if number % 10 == 0:
            print(f"   seed {seed}, step {number}: {outcome.metrics['accuracy']:.2f}", flush=True)
    found = []
    for example in algorithm.encode(rows[len(learned) :]):
        judgement = stepper.validate([example])
        found.append(judgement.metrics["accuracy"] if judgement else 0.5)
    return found


def figures(judged: list[Pair], by_seed: list[list[float]]) -> dict[str, Any]:
    """The accuracy over pairs and seeds, and its 95 % interval from problems and, apart, from seeds."""
    by_problem: dict[str, list[float]] = defaultdict(list)
    for place, pair in enumerate(judged):
        by_problem[pair["problem"]] += [scores[place] for scores in by_seed]
    means = [statistics.mean(scores) for scores in by_problem.values()]
    seeds = [statistics.mean(scores) for scores in by_seed]
    of_problems = statistics.variance(means) / len(means)
    of_seeds = statistics.variance(seeds) / len(seeds) if len(seeds) > 1 else 0.0
    half = 1.96 * (of_problems + of_seeds) ** 0.5
    mean = statistics.mean(means)
    return {
        "accuracy": round(mean, 4),
        "interval_low": round(mean - half, 4),
        "interval_high": round(mean + half, 4),
        "by_seed": [round(value, 4) for value in seeds],
        "problems": len(means),
        "pairs": len(judged),
        "longer_is_chosen": round(statistics.mean(len(pair["chosen"]) > len(pair["rejected"]) for pair in judged), 4),
    }


def main() -> None:
    """Train, judge, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward_on_real_pairs", description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    given = parser.parse_args()
    load, began = results_file.load(), time.monotonic()
    learned, judged = split(pairs())
    options = {"learning_rate": given.learning_rate, "batch_size": given.batch_size, "max_length": 768}
    by_seed = [accuracies(learned, judged, seed, given.steps, options) for seed in range(given.seeds)]
    results_file.write(
        "reward_on_real_pairs",
        figures=figures(judged, by_seed),
        goal=GOAL,
        command=f"python -m benchmarks.reward_on_real_pairs --steps {given.steps} --seeds {given.seeds}",
        packages=["torch", "transformers"],
        load_before=load,
        notes=[
            f"{len(learned)} pairs to learn from, {options['batch_size']} a step, the pilot model with a new head, CPU",
            "chosen is a solution with the right final answer, rejected a wrong one to the same problem; a problem is "
            "on one side only",
            "the interval is 1.96 standard errors, of problems and of seeds added; longer_is_chosen is what length "
            "alone would score",
        ],
        wall_s=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()
