"""numeric: the number in the response must equal the number in the item's answer, within a tolerance.

Compared as decimals, never as floating point; a response without a number is wrong.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar

from assay_schemas.answers import last_match, last_number, number
from assay_schemas.benchmarks import NumericParameters

from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.generation import GenerationBenchmark


class Numeric(GenerationBenchmark[NumericParameters]):
    """The last number of the response counts, or what `extract` finds; `tolerance` is absolute."""

    primary: ClassVar[str] = "numeric"

    def __init__(self, parameters: NumericParameters) -> None:
        super().__init__(parameters)
        self._pattern = re.compile(parameters.extract) if parameters.extract else None
        self._tolerance = Decimal(str(parameters.tolerance))

    def extract(self, response: str) -> str | None:
        return last_match(self._pattern, response) if self._pattern else last_number(response)

    def target(self, answer: str) -> str:
        found = self.extract(answer) or last_number(answer)
        if found is None or number(found) is None:
            raise UnusableItem(f"answer: {answer[:80]!r} holds no number; give one, or use exact_match")
        return found

    def vote(self, extracted: str | None) -> Decimal | None:
        return number(extracted or "")

    def score(self, extracted: str | None, target: str) -> float:
        given, right = number(extracted or ""), number(target)
        if given is None or right is None:
            return 0.0
        return float(abs(given - right) <= self._tolerance)
