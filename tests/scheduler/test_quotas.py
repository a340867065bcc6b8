"""Owners' quotas: the operator's file, and what is refused because its owner may never hold it."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_chassis.errors import Misconfigured
from assay_scheduler.policy import Resources
from assay_scheduler.quotas import over_quota, read_quotas
from assay_schemas.experiments import ExperimentSpec

SPEC = ExperimentSpec.model_validate(
    {
        "base_model": "file:///models/m",
        "training": {"algorithm": "SFT"},
        "arms": [{"name": "a", "dataset": "file:///a.jsonl"}],
        "benchmarks": [{"name": "gsm8k"}],
        "hardware": {"gpus": 8, "cpus": 8},
        "evaluation_hardware": {"gpus": 1, "cpus": 2},
    }
)


def written(folder: Path, text: str) -> Path:
    (folder / "quotas.yaml").write_text(text, encoding="utf-8")
    return folder / "quotas.yaml"


def test_a_quota_limits_what_it_names_alone(tmp_path: Path) -> None:
    quotas = read_quotas(written(tmp_path, "research: {gpus: 4}\n'*': {cpus: 16, gpus: 64}\n"))
    assert quotas["*"] == Resources(16, 64, float("inf"))
    (problem,) = over_quota(SPEC, "research", quotas)
    assert (problem.field, problem.message) == (
        "hardware.gpus",
        "asks for 8, and the quota of owner research is 4.",
    )
    assert over_quota(SPEC, "anybody else", quotas) == []


def test_without_a_file_there_is_no_limit() -> None:
    assert over_quota(SPEC, "research", read_quotas(None)) == []


def test_a_file_that_cannot_be_read_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"ASSAY_OWNER_QUOTAS_FILE: .*research\.gpu: is not a known key"):
        read_quotas(written(tmp_path, "research: {gpu: 4}\n"))
