"""What the benchmarks compute without measuring: result files, verdicts that are right, scores that are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import demo, results_file
from benchmarks.__main__ import NAMES, main

FOLDER = Path(results_file.__file__).parent


def test_every_named_benchmark_is_there() -> None:
    assert all((FOLDER / f"{name}.py").is_file() or (FOLDER / name / "__main__.py").is_file() for name in NAMES)


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["speed"])
    assert ended.value.code == 2
    assert "startup" in capsys.readouterr().err


def test_a_result_file_says_what_was_measured_with_what_on_what(tmp_path: Path) -> None:
    path = results_file.write(
        "x",
        figures={"ratio": 0.5},
        goal={"ratio": ">= 0.5"},
        command="python -m benchmarks.x",
        packages=["pydantic"],
        load_before=0.1,
        notes=[],
        wall_s=1.23,
        folder=tmp_path,
    )
    found = json.loads(path.read_text())
    assert found["figures"] == {"ratio": 0.5}
    assert {"python", "pydantic"} == found["versions"].keys()
    assert "cores" in found["machine"]
    assert "GB" in found["machine"]


def test_a_run_knows_its_sizes_and_the_command_that_repeats_it(tmp_path: Path) -> None:
    run = results_file.begin(
        "x",
        "What it is for.",
        {"steps": (10, "of each"), "seeds": (2, "in all")},
        ["--seeds", "3", "--output", str(tmp_path)],
    )
    assert (run.given.steps, run.given.seeds) == (10, 3)
    found = json.loads(run.write({"ratio": 0.5}, goal={}, packages=[], notes=[]).read_text())
    assert found["command"] == "python -m benchmarks.x --steps 10 --seeds 3"
    assert found["wall_s"] < 60


@pytest.mark.parametrize("path", sorted(results_file.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_committed_result_has_figures_goal_command_versions_and_machine(path: Path) -> None:
    found = json.loads(path.read_text())
    assert found["name"] == path.stem
    assert {"figures", "goal", "command", "versions", "machine"} <= found.keys()


RIGHT = {
    "clean on numeric": "better",
    "clean on perplexity": "better",
    "wrong on numeric": "worse",
    "wrong on perplexity": "worse",
    "placebo on numeric": "tied",
    "placebo on perplexity": "underpowered",
}


def test_a_right_demo_has_no_mistakes() -> None:
    assert demo.mistakes(RIGHT) == []


@pytest.mark.parametrize(
    ("name", "word"), [("wrong on numeric", "tied"), ("placebo on numeric", "worse"), ("clean on perplexity", "broken")]
)
def test_a_demo_with_another_verdict_has_a_mistake(name: str, word: str) -> None:
    assert demo.mistakes(RIGHT | {name: word}) == [f"{name}: {word}"]


def test_a_verdict_that_is_missing_is_a_mistake() -> None:
    assert demo.mistakes({name: word for name, word in RIGHT.items() if name != "wrong on numeric"}) == [
        "wrong on numeric: no verdict"
    ]


def test_seed_sets_go_on_where_an_earlier_run_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def stand_in(state: Path, seeds: list[int]) -> dict[str, object]:
        asked.append(seeds)
        return {"verdicts": RIGHT if len(asked) > 1 else {}}

    monkeypatch.setattr(demo, "demo", stand_in)
    first = list(demo.try_seed_sets(tmp_path, 2, []))[-1]
    assert (first["right"], first["of"]) == (1, 2)
    last = list(demo.try_seed_sets(tmp_path, 3, first["sets"]))[-1]
    assert (last["right"], last["of"]) == (2, 3)
    assert len({seed for seeds in asked for seed in seeds}) == 9


def test_every_benchmark_that_can_be_run_is_named() -> None:
    parts = {"__main__", "load_service"}
    runnable = {path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    assert runnable - parts <= set(NAMES)
