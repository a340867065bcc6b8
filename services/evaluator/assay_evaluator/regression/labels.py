"""How often a rule of extraction judges GSM8K's published example solutions as they are labelled.

The harness's rules are the harness's own filters and metric, read from its task; only files are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assay_schemas.benchmarks import NumericParameters

from assay_evaluator.benchmarks.numeric import Numeric
from assay_evaluator.regression.table import LabelFigure

SOLUTIONS = "example_model_solutions.jsonl"
MARK, HARNESS_MARK = "A: ", "#### "
Judge = Callable[[str, str], bool]
Labelled = tuple[str, str, bool]


def agreement(row: LabelFigure, folder: Path) -> float:
    """The share of all solutions that are judged as labelled."""
    judge = _numeric(row.options) if row.rule == "numeric" else _of_harness(row.rule)
    agreed = [judge(solution, truth) == label for solution, truth, label in labelled(folder)]
    return sum(agreed) / len(agreed)


def labelled(folder: Path) -> Iterator[Labelled]:
    """Every published solution with the item's true one, and whether it is labelled right."""
    for line in (folder / SOLUTIONS).read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        for value in item.values():
            if isinstance(value, dict):
                yield value["solution"], item["ground_truth"], value["is_correct"]


def _numeric(options: dict[str, Any]) -> Judge:
    numeric = Numeric(NumericParameters.model_validate(options))
    return lambda solution, truth: numeric.score(numeric.extract(solution), numeric.target(truth)) == 1.0


def _of_harness(name: str) -> Judge:
    """The filter of that name and the metric of the harness's own gsm8k; its data marks answers otherwise."""
    from lm_eval.api.metrics import exact_match_hf_evaluate
    from lm_eval.filters import build_filter_ensemble
    from lm_eval.tasks._yaml_loader import load_yaml

    from assay_evaluator.task_names import HARNESS_FOLDER

    config = load_yaml(HARNESS_FOLDER / "gsm8k" / "gsm8k.yaml", resolve_func=False)
    [found] = [one for one in config["filter_list"] if one["name"] == name]
    steps = [
        (step["function"], {key: value for key, value in step.items() if key != "function"}) for step in found["filter"]
    ]
    [metric] = config["metric_list"]
    options = {key: metric[key] for key in ("ignore_case", "ignore_punctuation", "regexes_to_ignore")}
    ensemble = build_filter_ensemble(name, steps)

    def judge(solution: str, truth: str) -> bool:
        answers: Any = [[solution.replace(MARK, HARNESS_MARK)]]
        for step in ensemble.filters:
            answers = step().apply(answers, [{}])
        [answer] = answers
        given = {"predictions": [answer], "references": [truth.replace(MARK, HARNESS_MARK)]}
        return bool(exact_match_hf_evaluate(**given, **options)["exact_match"])

    return judge
