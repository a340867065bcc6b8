"""Rewards: rules and models that score what a policy wrote. To add a rule: a file here and a line in VERIFIERS.

Never imports torch here; a model reward does where it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay_schemas.algorithms import VerifierReward

from assay_trainer.rewards import code_tests, exact_match, json_schema, numeric, regex


@dataclass(frozen=True)
class Verifier:
    """`score(completion, truth, options)` gives 0 to 1, or raises; `truth` is the row's column, None where none is
    needed. `parallel`: worth running on several cores."""

    score: Callable[[str, Any, VerifierReward], float]
    parallel: bool = False


VERIFIERS: Mapping[str, Verifier] = {
    "exact_match": Verifier(exact_match.score),
    "numeric": Verifier(numeric.score),
    "regex": Verifier(regex.score),
    "code_tests": Verifier(code_tests.score, parallel=True),
    "json_schema": Verifier(json_schema.score),
}
