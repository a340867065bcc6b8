"""The contract's specifications through `assay submit FILE`: exit codes, and all problems in --json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
import yaml
from assay.cli import app
from system_ground import Ground
from typer.testing import CliRunner, Result

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture
def submit(scheduler_alone: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ASSAY_HOME", str(scheduler_alone.state))

    def call(document: Any) -> Result:
        file = tmp_path / "experiment.yaml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        return CliRunner().invoke(app, ["submit", str(file), "--json"])

    return call


def test_every_valid_specification_is_accepted(submit: Any, files: Path) -> None:
    for case in cases.valid_cases():
        answer = submit(case.located(files))
        assert answer.exit_code == 0, (case.id, answer.output)
        assert json.loads(answer.stdout)["jobs"] > 0


def test_invalid_specifications_end_with_code_2_and_exactly_their_problems(submit: Any, files: Path) -> None:
    for case in cases.invalid_cases():
        answer = submit(case.located(files))
        assert answer.exit_code == 2, (case.id, answer.output)
        problems = json.loads(answer.stdout)["problems"]
        assert sorted(problem["field"] for problem in problems) == sorted(case.problems), (case.id, problems)


def test_paths_are_relative_to_the_file(submit: Any, tmp_path: Path) -> None:
    cases.write_files(tmp_path)
    (minimal,) = [case for case in cases.valid_cases() if case.id == "minimal"]
    answer = submit(minimal.spec)
    assert answer.exit_code == 0, answer.output


def test_a_file_over_the_size_limit_is_invalid(submit: Any, files: Path) -> None:
    answer = submit(cases.minimal(files) | {"question": "q" * 300_000})
    assert answer.exit_code == 2
    (problem,) = json.loads(answer.stdout)["problems"]
    assert "over the limit" in problem["message"]
