"""How well a reward model trained here tells right solutions from wrong ones, on real problems it has not seen.

Pairs of GSM8K's published model solutions, every problem held out once; no time is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections import defaultdict
from typing import Any

from benchmarks import results_file
from benchmarks.gsm8k_pairs import ROOT, Pair, pairs

MODEL = ROOT / "examples" / "pilot" / "model"
GOAL = {"interval_low": "> 0.5"}
FOLDS = 3
PAIRS_OF_A_PROBLEM = 4


def shortened(pair: Pair) -> Pair:
    """The pair with the last sentence of its question, which is as much of it as the pilot can use."""
    return {**pair, "prompt": f"{pair['prompt'].strip().split('. ')[-1]}\n"}


def fold_of(pair: Pair) -> int:
    """The part in which its problem is held out."""
    return hashlib.sha256(pair["problem"].encode()).digest()[0] % FOLDS


def accuracies(learned: list[Pair], judged: list[Pair], seed: int, steps: int, options: dict[str, Any]) -> list[float]:
    """1, 0.5 or 0 for each judged pair, by a reward model that the trainer made with this seed."""
    import torch
    from assay_schemas.algorithms import RewardHyperparameters
    from assay_trainer.algorithms.reward import RewardModelling
    from assay_trainer.data.prepare import prepare
    from assay_trainer.data.rows import Row, split_rows
    from assay_trainer.model import load_scorer, load_tokenizer, padding_id_of
    from assay_trainer.stepper import Stepper

    hyperparameters = RewardHyperparameters(steps=steps, validation_share=0.0, **options)
    tokenizer = load_tokenizer(MODEL)
    algorithm = RewardModelling(hyperparameters, tokenizer)
    rows = [Row(f"{pair['problem']}-{place}", place, pair) for place, pair in enumerate([*learned, *judged])]
    batches = prepare(
        split_rows(rows[: len(learned)], hyperparameters.validation_share), algorithm, hyperparameters, seed
    ).batches
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


def figures(judged: list[tuple[Pair, float]]) -> dict[str, Any]:
    """The mean over problems of a problem's pairs, its 95 % interval over them, and what length alone would score."""
    by_problem: dict[str, list[float]] = defaultdict(list)
    for pair, score in judged:
        by_problem[pair["problem"]].append(score)
    means = [statistics.mean(scores) for scores in by_problem.values()]
    half = 1.96 * (statistics.variance(means) / len(means)) ** 0.5
    mean = statistics.mean(means)
    return {
        "accuracy": round(mean, 4),
        "interval_low": round(mean - half, 4),
        "interval_high": round(mean + half, 4),
        "by_fold": [
            round(statistics.mean(score for pair, score in judged if fold_of(pair) == fold), 4) for fold in range(FOLDS)
        ],
        "problems": len(means),
        "pairs": len(judged),
        "longer_is_right": round(statistics.mean(len(pair["chosen"]) > len(pair["rejected"]) for pair, _ in judged), 4),
    }


def main() -> None:
    """Train, judge, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward_on_real_pairs", description=__doc__)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--batch-size", type=int, default=16)
    given = parser.parse_args()
    load, began = results_file.load(), time.monotonic()
    found = [shortened(pair) for pair in pairs(PAIRS_OF_A_PROBLEM)]
    options = {"learning_rate": given.learning_rate, "batch_size": given.batch_size, "max_length": 768}
    judged: list[tuple[Pair, float]] = []
    for fold in range(FOLDS):
        learned = [pair for pair in found if fold_of(pair) != fold]
        held_out = [pair for pair in found if fold_of(pair) == fold]
        scores = accuracies(learned, held_out, fold, given.steps, options)
        judged += zip(held_out, scores, strict=True)
        print(f"   part {fold}: {statistics.mean(scores):.3f}", flush=True)
    results_file.write(
        "reward_on_real_pairs",
        figures=figures(judged),
        goal=GOAL,
        command=f"{parser.prog} --steps {given.steps} --learning-rate {given.learning_rate} "
        f"--batch-size {given.batch_size}",
        packages=["torch", "transformers"],
        load_before=load,
        notes=[
            f"pairs of a right and a wrong solution to one problem, {given.batch_size} a step, the pilot model with a "
            "new head; prompts are the question's last sentence",
            f"{FOLDS} trainings, each on the problems of the other parts, each with a seed of its own",
            "the interval is 1.96 standard errors over problems; longer_is_right is what length alone would score",
        ],
        wall_s=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()
