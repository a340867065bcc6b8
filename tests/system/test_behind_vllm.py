"""A whole experiment whose judge and reference are asked over vLLM's own servers; only where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from system_ground import Ground
from vllm_server import biased_judge, skip_unless_asked, vllm_server

pytestmark = [pytest.mark.real, pytest.mark.slow]
WITHIN_S = 400.0


@pytest.fixture(scope="module")
def with_vllm(tmp_path_factory: pytest.TempPathFactory, started: Callable[..., Any]) -> Iterator[Any]:
    """A system whose endpoints are `judge`, a judge that likes the first place, and `lab`, the pilot itself."""
    skip_unless_asked()
    folder = tmp_path_factory.mktemp("vllm")
    lab = vllm_server(ground.PILOT, "pilot", folder / "lab.log")
    with biased_judge(ground.PILOT, folder) as judge, lab as texts:
        declared = folder / "endpoints.json"
        completions = {"url": texts, "interface": "completions", "likelihoods": True, "logprobs": True}
        declared.write_text(json.dumps({"judge": {"url": judge}, "lab": {**completions, "context": 1024}}))
        with started(folder, {"OMP_NUM_THREADS": "1", "ASSAY_ENDPOINTS_FILE": str(declared)}) as one:
            yield one


def test_a_judge_and_a_reference_on_vllms_servers_reach_the_report(with_vllm: Ground, tmp_path: Path) -> None:
    items = tmp_path / "judged.jsonl"
    rows = [{"prompt": f"Count to {number}.", "answer": "one two three"} for number in range(2, 10)]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = {"dataset": str(items), "judge": "endpoint:judge/judge", "max_tokens": 6, "judge_max_tokens": 24}
    document = with_vllm.document(seeds=[0, 1])
    document["arms"].append({"name": "same", "model": "endpoint:lab/pilot"})
    document["benchmarks"] = [document["benchmarks"][0], {"name": "judge", "parameters": asked}]
    document["benchmarks"].append({"name": "multiple_choice", "parameters": {"dataset": str(_choices(tmp_path))}})
    run = with_vllm.ended(with_vllm.submit(**document), WITHIN_S)
    assert run.result().outcome == "succeeded"
    cells = {(cell.arm, cell.benchmark): cell.mean for cell in run.report().cells}
    assert {cells[arm, "judge"] for arm in ("control", "clean", "same")} == {0.5}
    for benchmark in ("numeric", "multiple_choice"):
        assert cells["same", benchmark] == pytest.approx(cells["control", benchmark])


def _choices(folder: Path) -> Path:
    path = folder / "choices.jsonl"
    rows = [
        {"question": f"{n} + {n} =", "choices": [f" {2 * n}", f" {2 * n + 1}", " a lot"], "answer": 0}
        for n in range(3, 15)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
