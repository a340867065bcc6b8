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


async def test_a_budget_ends_as_soon_as_every_verdict_is_given_and_what_is_not_needed_is_said(
    whole: Ground, tmp_path: Path
) -> None:
    """One seed each gives no verdict, so both arms get more; rows that are all the same leave no doubt then."""
    since = ground.now()
    first = whole.submit(
        training=ground.training(steps=6, learning_rate=3e-3),
        arms=[{"name": name, "dataset": repeated(tmp_path / f"{name}.jsonl", name)} for name in ("zq", "xv")],
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
    assert {name: arm["action"] for name, arm in arms[0].items()} == {"zq": "added", "xv": "added"}
    assert [{name: (arm["action"], arm["seeds"]) for name, arm in one.items()} for one in arms[1:]] == [
        {"zq": ("decided", 3), "xv": ("decided", 2)}  # three seeds are advised; the look's part of the runs is three
    ]
    assert (looks[-1]["used"], looks[-1]["saved_runs"]) == (5, RUNS - 5)
    report = Run(looks[-1]["experiment_id"], whole.settings).report()
    assert report.reused >= 4
    said = next(section for section in report.sections if section["anchor"] == "budget")
    words = " ".join(block.get("text", "") for block in said["blocks"])
    assert f"5 of {RUNS} training runs are used." in words
    assert f"{RUNS - 5} runs of the budget not needed" in words


def repeated(file: Path, word: str) -> str:
    """A file of one row many times, from which every seed learns the same."""
    row = json.dumps({"prompt": "Q:", "completion": f" {word}" * 4})
    file.write_text(f"{row}\n" * 64, encoding="utf-8")
    return str(file)
