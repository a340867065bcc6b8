"""A budget through the whole platform: look after look, an arm that is decided early, and what was not needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import system_ground as ground
from assay.budget import looks as looks_at
from assay.run import Run
from system_ground import Ground, Tape

pytestmark = [pytest.mark.real, pytest.mark.slow]
RUNS, LOOKS = 8, 3


async def test_runs_go_where_a_verdict_is_open_and_what_is_not_needed_is_said(whole: Ground, tmp_path: Path) -> None:
    """One seed each gives no verdict, so both arms get another; rows that are all the same leave no doubt with two."""
    same = tmp_path / "same.jsonl"
    same.write_text(f"{json.dumps({'prompt': 'Q:', 'completion': ' zq zq zq zq'})}\n" * 64, encoding="utf-8")
    since = ground.now()
    first = whole.submit(
        arms=[
            {"name": "clean", "dataset": str(whole.data / "clean.jsonl")},
            {"name": "same", "dataset": str(same)},
        ],
        seeds=[ground.new_seed()],
        benchmarks=[
            {"name": "perplexity", "parameters": {"dataset": str(whole.data / "likelihood.jsonl")}, "limit": 16}
        ],
        budget={"runs": RUNS, "looks": LOOKS},
    )

    def over(tape: Tape) -> bool:
        return any(one.data["next"] is None for one in tape.of("experiment.budget") if one.correlationid == first.id)

    tape = await whole.tape(since, over, within_s=240.0)
    looks = [one.data for one in tape.of("experiment.budget") if one.correlationid == first.id]
    assert [one["look"] for one in looks] == list(range(1, len(looks) + 1))
    assert {one["first"] for one in looks} == {first.id}
    assert [one["experiment_id"] for one in looks] == [first.id, *(one["next"] for one in looks[:-1])]
    told = await looks_at(whole.settings, looks[-1]["experiment_id"])
    assert [one.model_dump() for one in told] == looks
    arms = [{arm["arm"]: arm for arm in one["arms"]} for one in looks]
    assert {name: arm["action"] for name, arm in arms[0].items()} == {"clean": "added", "same": "added"}
    assert [(one["same"]["action"], one["same"]["seeds"]) for one in arms[1:]] == [("decided", 2)] * len(looks[1:])
    last = looks[-1]
    assert last["used"] == sum(arm["seeds"] for arm in arms[-1].values())
    assert last["saved_runs"] == RUNS - last["used"]
    report = Run(last["experiment_id"], whole.settings).report()
    assert report.reused >= 4
    said = next(section for section in report.sections if section["anchor"] == "budget")
    words = " ".join(block.get("text", "") for block in said["blocks"])
    assert f"{last['used']} of {RUNS} training runs are used." in words
    assert (f"{last['saved_runs']} run" in words) == bool(last["saved_runs"])
    assert {one.verdict for one in report.verdicts if one.arm == "same" and one.family == "primary"} == {"worse"}
