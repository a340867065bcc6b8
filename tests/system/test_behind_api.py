"""A judge and a reference behind an API that has bad moments, through the whole platform to the published report."""

from __future__ import annotations

import asyncio
import json
import math
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import moody_endpoint
import pytest
import system_ground as ground
from assay.run import Run
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.results import EvalResult, Sample
from moody_endpoint import Endpoint
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
SECRETIVE = "Say nothing of the moon."
FORBIDDEN = "Say something of the moon."
JUDGED = [*(f"Count to {number}." for number in range(2, 8)), SECRETIVE, FORBIDDEN]


def judge(text: str) -> str | None:
    """Prefers the longer answer, of two alike the first, and has no opinion on one request."""
    if SECRETIVE in text:
        return "I would rather not say."
    first, rest = text.split("[Answer A]\n")[1].split("\n\n[Answer B]\n")
    second = rest.split("\n\nGive your reasons")[0]
    return f"Length counts.\nVERDICT: {'A' if len(first) >= len(second) else 'B'}"


def worth(sample: Sample) -> float:
    """What that judge's opinions in both orders come to."""
    answer = json.loads(sample.details)["answer"]
    return (
        (math.copysign(1, len(sample.response) - len(answer)) + 1) / 2 if len(sample.response) != len(answer) else 0.5
    )


def document(whole: Ground, folder: Path) -> dict[str, Any]:
    items = folder / "judged.jsonl"
    rows = [{"id": f"j{place}", "prompt": text, "answer": "one two three"} for place, text in enumerate(JUDGED)]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    parameters = {
        "dataset": str(items),
        "judge": "endpoint:moody/judge",
        "rubric": "Longer is better.",
        "max_tokens": 6,
    }
    made = whole.document(seeds=[ground.new_seed(), ground.new_seed()], name="judged")
    made["arms"].append({"name": "large", "model": "endpoint:moody/large"})
    made["benchmarks"] = [made["benchmarks"][0], {"name": "judge", "parameters": parameters}]
    return made


def judged(whole: Ground, run: Run) -> list[tuple[EvalResult, list[Sample]]]:
    """Every evaluation that asked the judge, with its samples."""
    paths = [path for end in run.result().ends if end.kind == "eval" for path in whole.manifests(end.key)]
    results = [EvalResult.model_validate_json(path.read_bytes()) for path in paths]
    stored = [(one, Path(one.samples.uri.removeprefix("file://"))) for one in results if "preferred" in one.metrics]
    return [(one, samples_from_parquet(path.read_bytes())) for one, path in stored]


async def test_a_judge_and_a_reference_behind_an_api_reach_the_report_whatever_the_endpoint_does_at_first(
    whole: Ground, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.models |= {"judge": judge, "large": lambda text: None if text == FORBIDDEN else "one two three four"}
    since = ground.now()
    run = await asyncio.to_thread(lambda: whole.ended(whole.submit(**document(whole, tmp_path))))
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id))
    assert (run.result().outcome, endpoint.strangers) == ("succeeded", 0)
    for model in ("judge", "large"):
        times = [at for at, text in endpoint.asked[model] if text == endpoint.asked[model][0][1]]
        assert times[1] - times[0] >= moody_endpoint.AFTER_S - 0.1
    _check_samples(whole, run)
    _check_report(run)
    _check_pages(whole, run)
    key = moody_endpoint.KEY.encode()
    holding = [one.topic for one in tape.records if key in (one.value or b"")]
    holding += [name for name, content in ground.files(whole.state) if key in content]
    assert holding == []


def _check_samples(whole: Ground, run: Run) -> None:
    found = judged(whole, run)
    assert len(found) == 4
    for result, samples in found:
        failed = {sample.prompt: sample for sample in samples if sample.error}
        assert SECRETIVE in failed
        assert "the judge gave no verdict" in failed[SECRETIVE].error
        assert result.items_failed == len(failed)
        assert all(sample.score is None for sample in failed.values())
        scored = [sample for sample in samples if not sample.error]
        assert [sample.score for sample in scored] == [worth(sample) for sample in scored]
        assert result.metrics["preferred"].value == pytest.approx(sum(map(worth, scored)) / len(scored))
    [large] = [samples for result, samples in found if len([one for one in samples if one.error]) == 2]
    refused = next(sample for sample in large if sample.prompt == FORBIDDEN)
    assert "may not ask that" in refused.error
    assert {sample.score for sample in large if not sample.error} == {1.0}


def _check_report(run: Run) -> None:
    report = run.report()
    cells = {(cell.arm, cell.benchmark): cell for cell in report.cells}
    assert (cells["large", "judge"].role, cells["large", "judge"].mean) == ("reference", 1.0)
    assert cells["large", "numeric"].mean == 0.0
    [verdict] = [
        one for one in report.verdicts if (one.arm, one.versus, one.benchmark) == ("clean", "control", "judge")
    ]
    assert (verdict.family, verdict.items, verdict.items_dropped) == ("primary", 7, 1)
    assert {one.family for one in report.verdicts if "large" in (one.arm, one.versus)} == {"exploratory"}


def _check_pages(whole: Ground, run: Run) -> None:
    """Responses are kept, those of failed items too, with the reason."""
    query = urllib.parse.urlencode({"benchmark": "judge", "only": "all", "q": "moon"})
    with urllib.request.urlopen(f"{whole.system._url('reporter')}/experiments/{run.id}/responses?{query}") as page:
        shown = page.read().decode()
    assert SECRETIVE in shown
    assert "the judge gave no verdict" in shown
    assert "[key] may not ask that" in shown
