"""Writes what a full-size run of the fuzzing found into `benchmarks/results/fuzzing.json`.

Never writes a smaller run's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks import results_file

if TYPE_CHECKING:
    from fuzzing.run import Found


def write(found: Sequence[Found], wall_s: float, full_size: int) -> None:
    inputs = sum(one.inputs for one in found)
    if inputs < full_size:
        print(f"No result is written for fewer than {full_size} inputs.")
        return
    results_file.write(
        "fuzzing",
        figures={
            "inputs": inputs,
            "crashes": sum(len(one.crashes) for one in found),
            "entrances": {one.target: {"inputs": one.inputs, **one.answers} for one in found},
        },
        goal={"inputs": f">= {full_size}", "crashes": "0"},
        command="make fuzz",
        packages=("pydantic", "pyarrow", "jinja2"),
        load_before=results_file.load(),
        notes=(
            "Inputs are made from examples that are right, by seeded changes of their structure and of their bytes; "
            "a crash is any answer that is neither an acceptance nor a refusal in the product's own words.",
        ),
        wall_s=wall_s,
    )
