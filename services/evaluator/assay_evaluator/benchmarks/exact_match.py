"""exact_match: the extracted answer must be the item's answer, letter for letter unless told otherwise.

The comparison is lm-eval's own; whitespace around response and answer never counts.
"""

from __future__ import annotations

import re
from typing import ClassVar

from assay_schemas.answers import last_match
from assay_schemas.benchmarks import ExactMatchParameters

from assay_evaluator.benchmarks.generation import GenerationBenchmark


class ExactMatch(GenerationBenchmark[ExactMatchParameters]):
    """With `extract`, the answer is read from the response, and from the item's answer where it matches too."""

    primary: ClassVar[str] = "exact_match"

    def __init__(self, parameters: ExactMatchParameters) -> None:
        super().__init__(parameters)
        self._pattern = re.compile(parameters.extract) if parameters.extract else None

    def extract(self, response: str) -> str | None:
        return last_match(self._pattern, response) if self._pattern else response.strip()

    def target(self, answer: str) -> str:
        found = last_match(self._pattern, answer) if self._pattern else None
        return answer.strip() if found is None else found

    def score(self, extracted: str | None, target: str) -> float:
        from lm_eval.api.metrics import exact_match_hf_evaluate

        if extracted is None:
            return 0.0
        result = exact_match_hf_evaluate(
            predictions=[extracted],
            references=[target],
            ignore_case=self.parameters.ignore_case,
            ignore_punctuation=self.parameters.ignore_punctuation,
        )
        return float(result["exact_match"])
