"""Published figures: rows that run pass or fail by their tolerance, and others are listed, never passed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from assay_evaluator.regression import running
from assay_evaluator.regression.running import Machine, outcome_of
from assay_evaluator.regression.table import LabelFigure, ModelFigure, table

GSM8K = Path(os.environ.get("ASSAY_GSM8K", Path(__file__).parents[4] / "shared" / "data" / "gsm8k"))
LABELS = [row for row in table() if isinstance(row, LabelFigure)]
MODELS = [row for row in table() if isinstance(row, ModelFigure)]


@pytest.mark.real
@pytest.mark.skipif(not GSM8K.is_dir(), reason="no GSM8K files; set ASSAY_GSM8K to their folder")
@pytest.mark.parametrize("row", LABELS, ids=lambda row: row.rule)
def test_both_rules_of_both_scorers_judge_all_published_solutions_as_labelled(row: LabelFigure, tmp_path: Path) -> None:
    found = outcome_of(row, Machine(GSM8K, tmp_path))
    assert (found.status, found.measured) == ("passed", 1.0)


def test_a_rule_that_judges_otherwise_fails(tmp_path: Path) -> None:
    solution = {"solution": "A: 3", "is_correct": True}
    item = {"question": "?", "ground_truth": "A: 4", "model": solution, "other": {**solution, "is_correct": False}}
    (tmp_path / "example_model_solutions.jsonl").write_text(json.dumps(item) + "\n")
    [row] = [row for row in LABELS if row.rule == "numeric" and not row.options]
    found = outcome_of(row, Machine(tmp_path, tmp_path))
    assert (found.status, found.measured) == ("failed", 0.5)


def test_rows_whose_data_or_model_is_not_here_are_listed_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = outcome_of(LABELS[0], Machine(None, tmp_path))
    assert (found.status, found.measured) == ("not run", None)
    assert "set ASSAY_GSM8K" in found.reason
    other = MODELS[0].model_copy(update={"harness_version": "lm-eval-0.4.0"})
    assert outcome_of(other, Machine(None, tmp_path)).reason.startswith("lm-eval-0.4.0 is not installed here")
    absent = MODELS[0].model_copy(update={"model": "no-such/model"})
    assert "hf download no-such/model" in outcome_of(absent, Machine(None, tmp_path)).reason


@pytest.mark.parametrize(("measured", "status"), [(0.2911, "passed"), (0.2913, "failed")])
def test_a_models_figure_may_be_off_by_its_tolerance(
    measured: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "model_folder", lambda _: tmp_path)
    monkeypatch.setattr(running, "measure", lambda *_: measured)
    assert outcome_of(MODELS[0], Machine(None, tmp_path)).status == status


@pytest.mark.real
def test_a_figure_of_an_own_benchmark_is_measured_over_the_published_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    row = next(row for row in MODELS if row.benchmark == "humaneval")
    asked = row.model_copy(update={"parameters": {"max_tokens": 4}})
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(running.NotHere, match=r"openai_humaneval/test-00000-of-00001.parquet --repo-type dataset"):
        running.measure(asked, model, tmp_path)
    tests = "def check(candidate):\n    assert candidate() == 1\n"
    problem = {"task_id": "1", "prompt": "def one():\n    return 1\n\n\n# ", "entry_point": "one", "test": tests}
    (tmp_path / "rows.jsonl").write_text(json.dumps(problem) + "\n")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(tmp_path / "rows.jsonl"))
    assert running.measure(asked, model, tmp_path) in (0.0, 1.0)


def test_every_row_names_its_source_and_is_named_once() -> None:
    names = [row.name for row in table()]
    assert len(set(names)) == len(names)
    assert all(row.source.startswith("https://") for row in table())
