"""Runs: their names, what is refused, and their way to JSON and back."""

from typing import Any

import pytest
from assay_chassis.compute import JobRun, run_name
from contract_bench import KEY, make_run
from pydantic import ValidationError


def test_a_name_is_made_of_kind_key_and_attempt() -> None:
    assert run_name("training", KEY, 3) == "training-0123456789abcdef-3"
    assert make_run(attempt=3).name == "training-0123456789abcdef-3"


def test_a_run_goes_to_json_and_back() -> None:
    run = make_run(payload={"nested": [1, {"a": None}]}, labels={"experiment": "x"}, deadline_s=2.5)
    assert JobRun.from_json(run.model_dump_json()) == run


def test_a_run_of_a_newer_version_can_be_read() -> None:
    text = make_run().model_dump_json().replace('"attempt":1', '"attempt":1,"unheard_of":true')
    assert JobRun.from_json(text) == make_run()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "Training!"),
        ("job_key", "../../etc"),
        ("job_key", "short"),
        ("attempt", 0),
        ("entrypoint", "module.function"),
        ("entrypoint", "module:function()"),
        ("entrypoint", "../module:function"),
        ("deadline_s", 0),
        ("resources", {"cpus": 0}),
        ("resources", {"memory_gib": 0}),
        ("unheard_of", 1),
    ],
)
def test_what_cannot_be_a_run_is_refused_by_field(field: str, value: Any) -> None:
    good: dict[str, Any] = {"kind": "eval", "job_key": KEY, "attempt": 1, "entrypoint": "module:function"}
    JobRun.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        JobRun.model_validate(good | {field: value})
    assert caught.value.errors()[0]["loc"][0] == field
