"""Which versions of engine and harness may be asked for, and which results stand beside each other."""

import json

import pytest
from assay_schemas.comparability import version_warnings
from assay_schemas.specification import read_specification
from assay_schemas.versions import (
    SHIPPED,
    Described,
    Environment,
    Versions,
    VersionsUnreadable,
    available_versions,
)

TWO = Versions(
    engines={**SHIPPED.engines, "2": Environment(), "3": Environment(comparable_with=("2",))},
    harnesses={**SHIPPED.harnesses, "lm-eval-0.4.12": Environment()},
)


def document(arms=("1", "1"), harnesses=("lm-eval-0.4.13",)):
    return {
        "base_model": "/model",
        "training": {"algorithm": "SFT", "hyperparameters": {"steps": 2}},
        "arms": [
            {"name": f"arm{place}", "dataset": "/rows.jsonl", "training": {"engine_version": version}}
            for place, version in enumerate(arms)
        ],
        "benchmarks": [
            {"name": "numeric", "harness_version": version, "parameters": {"dataset": "/items.jsonl"}}
            for version in harnesses
        ],
    }


def test_only_what_is_installed_or_declared_may_be_asked_for():
    asked = document(arms=("2", "9"), harnesses=("lm-eval-0.4.12",))
    alone = {problem.field for problem in read_specification(asked).problems}
    assert alone == {
        "arms.0.training.engine_version", "arms.1.training.engine_version", "benchmarks.0.harness_version",
    }  # fmt: skip
    [problem] = read_specification(asked, versions=TWO).problems
    assert problem.field == "arms.1.training.engine_version"
    assert "assay images add" in problem.mend


def test_arms_of_engines_that_nobody_declared_comparable_are_named():
    reading = read_specification(document(arms=("1", "2")), versions=TWO)
    assert reading.spec
    [warning] = version_warnings(reading.spec, TWO)
    assert "arm0 and arm1 are not comparable" in warning
    assert "engine versions 1 and 2" in warning


@pytest.mark.parametrize("arms", [("2", "3"), ("3", "2"), ("2", "2")])
def test_arms_of_comparable_engines_pass_in_silence(arms):
    reading = read_specification(document(arms=arms), versions=TWO)
    assert reading.spec
    assert version_warnings(reading.spec, TWO) == []


def test_one_benchmark_under_two_harnesses_has_two_baselines():
    reading = read_specification(document(harnesses=("lm-eval-0.4.13", "lm-eval-0.4.12")), versions=TWO)
    assert reading.spec
    [warning] = version_warnings(reading.spec, TWO)
    assert "numeric and numeric-2 are not comparable" in warning


def test_a_file_adds_versions_and_never_replaces_those_of_the_services(tmp_path):
    file = tmp_path / "versions.json"
    assert available_versions(file) == SHIPPED
    file.write_text(json.dumps({"engines": {"1": {"python": "/x"}, "2": {"python": "/y", "comparable_with": ["1"]}}}))
    found = available_versions(file)
    assert found.engines["1"].python is None
    assert str(found.engines["2"].python) == "/y"
    assert found.comparable("engine", "1", "2")


@pytest.mark.parametrize("text", ["{", '{"engine": {}}', '{"engines": {"../2": {}}}'])
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path, text):
    file = tmp_path / "versions.json"
    file.write_text(text)
    with pytest.raises(VersionsUnreadable, match=r"ASSAY_VERSIONS_FILE: .*versions.json"):
        available_versions(file)


def test_a_version_is_added_and_taken_back():
    described = Described(kind="harness", version="lm-eval-0.4.12")
    more = Versions().with_one(described, Environment(image="registry/evaluator:0.4.12"))
    assert more.harnesses["lm-eval-0.4.12"].image == "registry/evaluator:0.4.12"
    assert more.without("harness", "lm-eval-0.4.12") == Versions()
