"""The own benchmarks, one file each, by name. To add one: its file and its line here.

Never imports the harness; importing this package is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assay_evaluator.benchmarks.base import OwnBenchmark
from assay_evaluator.benchmarks.code import Code
from assay_evaluator.benchmarks.exact_match import ExactMatch
from assay_evaluator.benchmarks.judge import Judge
from assay_evaluator.benchmarks.multiple_choice import MultipleChoice
from assay_evaluator.benchmarks.numeric import Numeric
from assay_evaluator.benchmarks.perplexity import Perplexity
from assay_evaluator.benchmarks.preference import Preference, ScoredPreference
from assay_evaluator.benchmarks.visual_multiple_choice import VisualMultipleChoice

BENCHMARKS: dict[str, Callable[[Any], OwnBenchmark]] = {
    "exact_match": ExactMatch,
    "numeric": Numeric,
    "multiple_choice": MultipleChoice,
    "visual_multiple_choice": VisualMultipleChoice,
    "perplexity": Perplexity,
    "preference": Preference,
    "code": Code,
    "judge": Judge,
}
OF_SCORERS: dict[str, Callable[[Any], OwnBenchmark]] = {"preference": ScoredPreference}
"""Those that can evaluate a reward model, which gives a score for a text and no likelihood."""
