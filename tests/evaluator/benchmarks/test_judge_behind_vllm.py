"""A judge behind vLLM's own server: asked for real, in both orders, and its failures are failed items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from vllm_server import biased_judge, skip_unless_asked

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def judges(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model that was taught to prefer whatever comes first, and no grades, declared as `lab`."""
    skip_unless_asked()
    folder = tmp_path_factory.mktemp("judge")
    with biased_judge(model, folder) as url:
        path = folder / "endpoints.json"
        path.write_text(json.dumps({"lab": {"url": url, "context": 256}}))
        yield path


def test_a_judge_on_vllms_server_that_likes_the_first_place_says_nothing_by_it(
    judges: Path, evaluated: Any, sums: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ENDPOINTS_FILE", str(judges))
    asked = {"judge": "endpoint:lab/judge", "max_tokens": 4, "judge_max_tokens": 24}
    result, samples = evaluated("judge", sums[:6], asked)
    assert (result.metrics["preferred"].value, result.items_failed) == (0.5, 0)
    assert {sample.extracted for sample in samples} == {"A, A"}


def test_a_judge_on_vllms_server_that_gives_no_grade_is_told_of_and_scores_nothing(
    judges: Path, evaluated: Any, sums: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_ENDPOINTS_FILE", str(judges))
    rows = [{"id": row["id"], "prompt": row["prompt"]} for row in sums[:3]]
    with pytest.raises(JobFailed, match=r"every item of judge failed: the judge gave no verdict"):
        evaluated("judge", rows, {"judge": "endpoint:lab/judge", "max_tokens": 4, "judge_max_tokens": 24})
