"""Preference rows and models to compare losses on.

Never starts a process.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from assay_schemas.algorithms import DpoHyperparameters, RewardHyperparameters
from assay_trainer.data.rows import Row
from training_ground import build_model, build_tokenizer

PADDING_ID = 258


def planted(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Pairs of random words of which the better has an `!` in it, anywhere."""
    chance = random.Random(seed)

    def word(letters: str) -> str:
        drawn = [chance.choice(letters) for _ in range(chance.randrange(4, 9))]
        drawn.insert(chance.randrange(len(drawn)), letters[-1])
        return "".join(drawn)

    return [{"prompt": f"{n}:", "chosen": word("abcd!"), "rejected": word("abcde")} for n in range(count)]


def shuffled_labels(rows: list[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """The same pairs, with a coin deciding which one was chosen."""
    chance = random.Random(seed)
    return [
        row if chance.random() < 0.5 else {**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows
    ]


def numbered(columns: list[dict[str, Any]]) -> list[Row]:
    return [Row(str(number), number, row) for number, row in enumerate(columns, start=1)]


def packed(model: Any) -> Any:
    from assay_trainer.attention import ATTENTION, register

    register()
    model.set_attn_implementation(ATTENTION)
    return model


def policy(seed: int = 0) -> Any:
    return packed(build_model(seed).double())


def scorer(folder: Path, seed: int = 0) -> Any:
    import torch
    from assay_trainer.model import load_scorer

    return load_scorer(folder, torch.device("cpu"), PADDING_ID, seed).double()


def dpo(**changes: Any) -> Any:
    from assay_trainer.algorithms.dpo import Dpo

    return Dpo(DpoHyperparameters(**changes), build_tokenizer())


def reward(**changes: Any) -> Any:
    from assay_trainer.algorithms.reward import RewardModelling

    return RewardModelling(RewardHyperparameters(**changes), build_tokenizer())
