"""How much GRPO and PPO raise a verifier's reward on word problems that the pilot has not seen.

From the shipped pilot, two seeds each; rewards of the likeliest completions, before and after. No time is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results_file

MODEL = Path(__file__).parents[1] / "examples" / "pilot" / "model"
GOAL = {"grpo_points": ">= 15 for each seed", "ppo_points": ">= 15 for each seed"}
SHARED: dict[str, Any] = {
    "reward": {"kind": "verifier", "name": "numeric", "pattern": "#### (-?[0-9]+)"},
    "rollout_engine": "transformers",
    "max_length": 128,
    "max_completion_length": 48,
    "learning_rate": 3e-4,
    "schedule": "constant",
    "validation_share": 0.0,
}
OWN: dict[str, dict[str, Any]] = {
    "GRPO": {"batch_size": 32, "group_size": 8},
    "PPO": {"batch_size": 256, "minibatches": 2, "minibatch_epochs": 2, "kl_coefficient": 0.01},
}


def learn(name: str, seed: int, steps: int, items: int) -> dict[str, Any]:
    """Mean reward before and after, and that of the samples of every step, with the trainer's own parts."""
    import torch
    from assay_trainer.algorithms import algorithm_named
    from assay_trainer.algorithms.base import Surroundings
    from assay_trainer.data.prepare import prepare
    from assay_trainer.data.rows import Row, Split
    from assay_trainer.model import load_model, load_tokenizer

    from examples.wordproblems.problems import generate

    torch.set_num_threads(1)
    kind = algorithm_named(name)
    options = kind.hyperparameters_class.model_validate({**SHARED, **OWN[name], "steps": steps})
    algorithm = kind(options, load_tokenizer(MODEL))
    trained, held_out = (
        [Row(each.id, at, {"prompt": each.prompt, "answer": str(each.answer)}) for at, each in enumerate(problems)]
        for problems in (generate("train", 2000, 1), generate("held_out", items, 1))
    )
    prepared = prepare(Split(trained, []), algorithm, options, seed)
    device, model = torch.device("cpu"), load_model(MODEL, torch.device("cpu"))
    rewards = []
    with contextlib.ExitStack() as closing, tempfile.TemporaryDirectory() as scratch:
        around = Surroundings(seed, device, MODEL, Path(scratch), training=prepared.training(), closing=closing)
        stepper = algorithm.stepper(model, options, around)
        algorithm.before_first_step(contextlib.nullcontext(model), prepared.examples(), device)
        judged = algorithm.encode(held_out)
        before = stepper.validate(judged)
        for number, batch in enumerate(prepared.batches):
            outcome = stepper.step(number, steps, batch)
            rewards.append(round(outcome.metrics["reward"], 4))
            print(f"   {name}, seed {seed}, step {number + 1}: {rewards[-1]:.3f}", flush=True)
        after = stepper.validate(judged)
    if before is None or after is None:
        raise RuntimeError("every reward failed")
    return {"seed": seed, "before": -before.loss, "after": round(-after.loss, 4), "reward_by_step": rewards}


def main() -> None:
    """Train, judge, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online_learning", description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--algorithms", nargs="+", choices=list(OWN), default=list(OWN), help="others keep theirs")
    given = parser.parse_args()
    load, began = results_file.load(), time.monotonic()
    found: dict[str, Any] = {}
    for name in given.algorithms:
        runs = [learn(name, seed, given.steps, given.items) for seed in range(given.seeds)]
        points = [round(100 * (run["after"] - run["before"]), 1) for run in runs]
        found |= {f"{name.lower()}_points": points, f"{name.lower()}_mean": round(statistics.mean(points), 1)}
        found |= {f"{name.lower()}_runs": runs}
    results_file.write(
        "online_learning",
        figures=results_file.figures("online_learning") | found,
        goal=GOAL,
        command=f"python -m benchmarks.online_learning --steps {given.steps} --seeds {given.seeds}",
        packages=["torch", "transformers"],
        load_before=load,
        notes=[
            f"{given.steps} steps of 256 samples each: 32 prompts of 8 (GRPO), 256 prompts (PPO); learning rate 3e-4",
            f"before and after: the share of {given.items} held-out problems whose greedy answer is right",
            "float32, one thread, the transformers rollout engine",
        ],
        wall_s=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()
