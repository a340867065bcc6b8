"""SFT, DPO and REWARD are what TRL computes: loss and gradient on one batch, and the weights after some steps."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from assay_trainer.data.rows import Row, split_rows
from training_ground import build_tokenizer, preferences, sums
from trl_peer import distance, run_ours, run_trl

pytestmark = pytest.mark.real
pytest.importorskip("trl", reason="TRL is compared with only where the development requirements are installed")
STEPS, BATCH = 6, 8
SHARED = {"learning_rate": 1e-3, "max_length": 48}


def rows_of(algorithm: str) -> list[dict[str, Any]]:
    if algorithm == "SFT":
        return sums(48)
    pairs = preferences(48)
    if algorithm == "DPO":
        return pairs
    return [{**row, "margin": 0.1 * (number % 3)} for number, row in enumerate(pairs)]


def model_of(algorithm: str, folder: Path) -> Any:
    import torch
    from assay_trainer.model import load

    kind = "sequence_classification" if algorithm == "REWARD" else "causal_lm"
    return load(kind, folder, torch.device("cpu"), 258, seed=0)


@pytest.mark.parametrize(
    ("algorithm", "ours", "theirs"),
    [
        ("SFT", {}, {"completion_only_loss": True}),
        ("SFT", {"packing": False, "loss_on": "all"}, {"completion_only_loss": False}),
        ("DPO", {}, {"loss_type": ["sigmoid"]}),
        ("DPO", {"loss": "ipo", "beta": 0.5}, {"loss_type": ["ipo"], "beta": 0.5}),
        ("DPO", {"loss": "length_normalised", "beta": 2.0}, {"loss_type": ["sigmoid_norm"], "beta": 2.0}),
        ("REWARD", {"centring": 0.01}, {"center_rewards_coefficient": 0.01}),
    ],
)
def test_loss_gradient_and_weights_are_trls(
    algorithm: str, ours: dict[str, Any], theirs: dict[str, Any], model_folder: Path, tmp_path: Path
) -> None:
    import torch
    from assay_trainer.algorithms import ALGORITHMS
    from assay_trainer.data.prepare import prepare
    from assay_trainer.stepper import Stepper

    torch.set_num_threads(1)
    chosen = ALGORITHMS[algorithm]
    hyperparameters = chosen.hyperparameters_class.model_validate(
        {"steps": STEPS, "batch_size": BATCH, "warmup_share": 0, "validation_share": 0, "gradient_clip": 0}
        | {**SHARED, **ours}
    )
    made = chosen(hyperparameters, build_tokenizer())
    rows = [Row(str(number), number + 1, row) for number, row in enumerate(rows_of(algorithm))]
    prepared = prepare(split_rows(rows, hyperparameters.validation_share), made, hyperparameters, seed=0)
    base = contextlib.nullcontext(model_of(algorithm, model_folder).eval())
    with torch.no_grad():
        made.before_first_step(base, prepared.examples(), torch.device("cpu"))
    stepper = Stepper(model_of(algorithm, model_folder), made, hyperparameters, seed=0)
    mine = run_ours(made, stepper, prepared.batches)
    order = [rows[int(example.row_id)].columns for batch in prepared.batches for example in batch]
    peer = run_trl(
        algorithm,
        model_of(algorithm, model_folder),
        build_tokenizer(),
        [dict(row) for row in order],
        tmp_path,
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        **SHARED,
        **theirs,
    )
    assert mine.losses == pytest.approx(peer.losses, rel=1e-5)
    assert distance(mine.gradient, peer.gradient) <= 1e-5
    assert distance(mine.weights, peer.weights) <= 1e-4
