"""Interventions on an arm's rows as configuration: which exist, on what rows, and what each must be given.

To add one: a line here, and its function in the trainer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay_schemas.algorithms import Algorithm
from assay_schemas.problems import Problem

InterventionKind = Literal[
    "swap_chosen",
    "flip_labels",
    "drop_prompt",
    "shuffle_prompt",
    "match_length",
    "strip_format",
    "subsample",
    "subset",
    "deduplicate",
]
PREFERENCES = ("preference",)
WITH_PROMPTS = ("preference", "prompt_completion", "messages")
WITH_ANSWERS = ("preference", "prompt_completion", "messages", "text")
ANY = (*WITH_ANSWERS, "prompt")


@dataclass(frozen=True)
class InterventionDefinition:
    """The row formats that an intervention can change, and the keys besides `kind` that it takes or needs."""

    row_formats: tuple[str, ...]
    takes: tuple[str, ...] = ("fraction",)
    needs: tuple[str, ...] = ()


INTERVENTIONS: Mapping[str, InterventionDefinition] = {
    "swap_chosen": InterventionDefinition(PREFERENCES),
    "flip_labels": InterventionDefinition(PREFERENCES),
    "drop_prompt": InterventionDefinition(WITH_PROMPTS),
    "shuffle_prompt": InterventionDefinition(WITH_PROMPTS),
    "match_length": InterventionDefinition(PREFERENCES),
    "strip_format": InterventionDefinition(WITH_ANSWERS),
    "subsample": InterventionDefinition(ANY, needs=("fraction",)),
    "subset": InterventionDefinition(ANY, takes=("column", "values"), needs=("column", "values")),
    "deduplicate": InterventionDefinition(ANY, takes=()),
}
MENDS = {
    "fraction": "Give the share of rows, from 0 to 1.",
    "column": "Give the name of a column.",
    "values": "Give the list of its values to keep.",
}


def written_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """An intervention with what it takes and nothing else, so that equal ones are equal however they were written."""
    takes = INTERVENTIONS[given["kind"]].takes
    written = {"kind": given["kind"]} | {key: 1.0 if given.get(key) is None else given[key] for key in takes}
    return written | ({"values": sorted({*given["values"]})} if "values" in takes else {})


def intervention_problems(prefix: str, given: Mapping[str, Any], algorithm: Algorithm | None) -> list[Problem]:
    """What keeps an intervention, as written in a specification, from meaning something."""
    kind = given.get("kind")
    definition = INTERVENTIONS.get(kind) if isinstance(kind, str) else None
    if definition is None:
        return []
    misspelt = set(given) - {"kind", *MENDS}  # said elsewhere, and likely what is missing here
    problems = [
        Problem(field=f"{prefix}.{key}", message=f"is required by {kind}.", mend=MENDS[key])
        for key in definition.needs
        if given.get(key) in (None, []) and not misspelt
    ]
    problems += [
        Problem(field=f"{prefix}.{key}", message=f"means nothing to {kind}.", mend="Leave it out.")
        for key in MENDS
        if given.get(key) is not None and key not in definition.takes
    ]
    if algorithm is not None and not set(algorithm.row_formats) & set(definition.row_formats):
        fitting = ", ".join(
            name for name, one in INTERVENTIONS.items() if set(algorithm.row_formats) & {*one.row_formats}
        )
        message = f"{kind} does not fit rows of {algorithm.name}, which are {' or '.join(algorithm.row_formats)}."
        problems.append(Problem(field=f"{prefix}.kind", message=message, mend=f"Use one of {fitting}."))
    return problems
