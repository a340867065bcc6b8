"""What each verifier counts as right, and what of a row it cannot use."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from assay_schemas.algorithms import VerifierName, VerifierReward
from assay_trainer.rewards import VERIFIERS
from assay_trainer.rewards.code_tests import program_in


def score(name: str, completion: str, truth: Any = None, **options: Any) -> float:
    return VERIFIERS[name].score(completion, truth, VerifierReward(kind="verifier", name=name, **options))


def test_every_verifier_of_the_schema_is_registered() -> None:
    assert set(VERIFIERS) == set(get_args(VerifierName))


@pytest.mark.parametrize(
    ("completion", "truth", "options", "wanted"),
    [
        (" 12 \n", "12", {}, 1.0),
        ("twelve", "12", {}, 0.0),
        ("so 5, no: #### 12", "12", {"pattern": "#### (.*)"}, 1.0),
        ("12", "12", {"pattern": "#### (.*)"}, 0.0),
        ("#### 12", "because #### 12", {"pattern": "#### (.*)"}, 1.0),
    ],
)
def test_exact_match(completion: str, truth: str, options: dict[str, str], wanted: float) -> None:
    assert score("exact_match", completion, truth, **options) == wanted


@pytest.mark.parametrize(
    ("completion", "truth", "options", "wanted"),
    [
        ("first 3, then $1,234.50", "1234.5", {}, 1.0),
        ("it is 7", 7, {}, 1.0),
        ("it is 0.30000000000000001", "0.3", {}, 0.0),
        ("about 9.6", "10", {"tolerance": 0.5}, 1.0),
        ("no number", "10", {}, 0.0),
        ("7 #### 8 and 9", "8", {"pattern": "#### (-?[0-9]+)"}, 1.0),
        ("8", "8", {"pattern": "#### (-?[0-9]+)"}, 0.0),
    ],
)
def test_numeric(completion: str, truth: Any, options: dict[str, Any], wanted: float) -> None:
    assert score("numeric", completion, truth, **options) == wanted


def test_numeric_needs_a_number_in_the_row() -> None:
    with pytest.raises(ValueError, match="holds no number"):
        score("numeric", "3", "three")


def test_regex_finds_its_pattern_anywhere() -> None:
    assert score("regex", "a yes b", pattern="y.s") == 1.0
    assert score("regex", "no", pattern="^yes$") == 0.0


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("completion", "wanted"),
    [
        ('{"n": 3}', 1.0),
        ('first ```json\n{"n": "x"}\n``` then ```json\n{"n": 4}\n```', 1.0),
        ('{"n": "3"}', 0.0),
        ('{"n": 3', 0.0),
        ("[" * 5000, 0.0),
    ],
)
def test_json_schema(completion: str, wanted: float) -> None:
    assert score("json_schema", completion, SCHEMA) == wanted


def test_a_schema_is_never_fetched_from_elsewhere() -> None:
    with pytest.raises(Exception, match=r"http://127\.0\.0\.1/schema"):
        score("json_schema", "1", {"$ref": "http://127.0.0.1/schema"})
    with pytest.raises(ValueError, match="no JSON schema"):
        score("json_schema", "1", [1])


def test_a_program_is_the_last_fenced_block_or_everything() -> None:
    assert program_in("x = 1") == "x = 1"
    assert program_in("```python\na\n```\nor\n```\nb\n```\nend") == "b\n"


def test_code_needs_tests() -> None:
    with pytest.raises(ValueError, match="neither Python source"):
        score("code_tests", "x = 1", [])
