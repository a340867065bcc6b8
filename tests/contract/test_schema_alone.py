"""The contract's specifications through the schema alone, where no file has to be looked at."""

from __future__ import annotations

from pathlib import Path

import contract_cases as cases
import pytest
from assay_schemas.specification import not_yet_available, read_specification

ROOT = Path("/somewhere")


@pytest.mark.parametrize("case", cases.valid_cases(), ids=lambda case: case.id)
def test_a_valid_specification_has_no_problem(case: cases.Case) -> None:
    reading = read_specification(case.located(ROOT))
    assert reading.problems == []
    assert reading.spec is not None
    assert not_yet_available(reading.spec) == []


@pytest.mark.parametrize(
    "case", [case for case in cases.invalid_cases() if not case.needs_files], ids=lambda case: case.id
)
def test_an_invalid_specification_has_exactly_the_listed_problems(case: cases.Case) -> None:
    reading = read_specification(case.located(ROOT))
    assert sorted(problem.field for problem in reading.problems) == sorted(case.problems)
    assert all(problem.message for problem in reading.problems)


def test_the_cases_are_the_whole_contract() -> None:
    assert len(cases.valid_cases()) >= 8
    assert len(cases.invalid_cases()) >= 19
    assert len(cases.record_cases({})) >= 17
