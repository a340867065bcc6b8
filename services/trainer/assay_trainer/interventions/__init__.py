"""Changes of an arm's rows that a job makes before it trains, by kind. To add one: its function and a line here.

Each is a function of the rows, what it was given and the seed: the same rows change in the same way in every
attempt, whatever their order, and a larger fraction changes all that a smaller one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay_schemas import interventions as definitions
from assay_schemas.datasets import COLUMNS

from assay_trainer.data.rows import Row, Split
from assay_trainer.errors import BadInput
from assay_trainer.interventions.base import Intervention
from assay_trainer.interventions.preferences import flip_labels, match_length, swap_chosen
from assay_trainer.interventions.prompts import drop_prompt, shuffle_prompt
from assay_trainer.interventions.selecting import deduplicate, subsample, subset
from assay_trainer.interventions.surface import strip_format

INTERVENTIONS: Mapping[str, Intervention] = {
    "swap_chosen": swap_chosen,
    "flip_labels": flip_labels,
    "drop_prompt": drop_prompt,
    "shuffle_prompt": shuffle_prompt,
    "match_length": match_length,
    "strip_format": strip_format,
    "subsample": subsample,
    "subset": subset,
    "deduplicate": deduplicate,
}


def intervene(split: Split, interventions: Sequence[Mapping[str, Any]], seed: int) -> Split:
    """Training and held-out rows, each changed alike and by itself, so that neither learns from the other.

    Raises BadInput for a row that an intervention cannot change, and where no row is left to train on.
    """
    training, validation = split.training, split.validation
    for place, given in enumerate(interventions):
        _check_formats([*training, *validation], given["kind"])
        change = INTERVENTIONS[given["kind"]]
        training, validation = change(training, given, seed), change(validation, given, seed)
        if not training:
            raise BadInput(f"interventions.{place}: {given['kind']} leaves no row to train on; let it keep some")
    return Split(training, validation)


def _check_formats(rows: Sequence[Row], kind: str) -> None:
    formats = [COLUMNS[name] for name in COLUMNS if name in definitions.INTERVENTIONS[kind].row_formats]
    for row in rows:
        present = {name for name, value in row.columns.items() if value is not None}
        if not any(present.issuperset(columns) for columns in formats):
            wanted = " | ".join("+".join(columns) for columns in formats)
            raise BadInput(f"dataset line {row.line}: {kind} needs {wanted}; give these columns, or leave {kind} out")
