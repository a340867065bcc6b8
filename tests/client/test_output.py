"""What commands print is what came: brackets of a name or a reason are no markup."""

from __future__ import annotations

import json

import pytest
from assay.cli.experiments import _why
from assay.cli.output import console, emit, fail, rows
from assay.display import missing_lines
from assay.errors import AssayError, NotFound, Refused
from assay.lookup import find_job, find_run
from assay_schemas.problems import Problem
from rich.text import Text


def test_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows([{"name": "a[/]b", "why": "/data/[a-z]*.jsonl"}], {"name": "name", "why": "why"}, "none")
    console().print("[red]plain[/]")
    printed = capsys.readouterr().out
    for text in ("a[/]b", "/data/[a-z]*.jsonl", "[red]plain[/]"):
        assert text in printed


def test_a_refusal_lists_its_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(Refused([Problem(field="arms.0.name", message="'[/]' is taken.")])) == 2
    printed = capsys.readouterr().err
    assert "The experiment was refused. Mend these" in printed
    assert "'[/]' is taken." in printed


def test_runs_that_are_missing_for_one_reason_are_named_in_one_line() -> None:
    cancelled = [f"clean, seed {seed}: training was cancelled." for seed in (0, 1)]
    failed = "wrong, seed 0: training failed (diverged): loss not finite at step 2"
    assert missing_lines([cancelled[0], failed, "control", cancelled[1]]) == [
        "clean, seed 0; clean, seed 1: training was cancelled.",
        failed,
        "control",
    ]


def test_a_job_says_why_it_was_not_reused_and_for_what_it_waits() -> None:
    assert (
        _why({"reason": "never seen before", "waiting": "Next in the queue."}) == "never seen before. Next in the queue"
    )
    assert _why({"reason": "done before", "waiting": ""}) == "done before"


JOBS = [
    {"key": "ab12cd34", "title": f"train clean, seed {seed}", "reason": "never seen before: nothing like it here yet"}
    for seed in range(3)
]
COLUMNS = {"key": "key", "title": "job", "reason": "why"}


def test_in_a_narrow_terminal_sentences_stand_below_their_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows(
        [*JOBS, {"key": "ef56", "title": "evaluate clean", "reason": "done before"}],
        COLUMNS,
        "none",
        sentences="reason",
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert lines == [
        "key       job",
        "ab12cd34  train clean, seed 0",
        "    never seen before: nothing like it",
        "    here yet",
        "ab12cd34  train clean, seed 1",
        "ab12cd34  train clean, seed 2",
        "ef56      evaluate clean",
        "    done before",
    ]


def test_where_there_is_room_every_row_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    rows(JOBS, COLUMNS, "none", sentences="reason")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.rstrip().endswith("nothing like it here yet") for line in lines[1:])


class Jobs:
    def jobs(self, limit: int) -> list[dict[str, str]]:
        return [{"key": key * 64} for key in ("a", "b", "c", "ce")][:limit]


def test_a_job_is_found_by_the_beginning_of_its_key() -> None:
    assert find_job(Jobs(), "bb") == "b" * 64  # type: ignore[arg-type]
    assert find_job(Jobs(), "d" * 64) == "d" * 64  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="None of the jobs begins with 'x'"):
        find_job(Jobs(), "x")  # type: ignore[arg-type]
    with pytest.raises(AssayError, match="2 jobs begin with"):
        find_job(Jobs(), "c")  # type: ignore[arg-type]


def test_an_id_that_a_script_left_empty_names_nothing_even_where_there_is_only_one() -> None:
    with pytest.raises(AssayError, match="No job is named: the id is empty"):
        find_job(Jobs(), " ")  # type: ignore[arg-type]
    with pytest.raises(AssayError, match="No experiment is named"):
        find_run("")


def test_escape_sequences_of_strangers_are_shown_and_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m"
    rows([{"name": evil, "why": "x"}], {"name": "name", "why": "why"}, "none")
    console().print(Text(evil))
    fail(AssayError(evil))
    printed = "".join(capsys.readouterr())
    assert "\x1b" not in printed
    assert "\x9b" not in printed
    assert printed.count("␛[2J") == 3


def test_what_would_turn_the_text_around_it_is_shown_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\u202egpj.exe\u2066"
    rows([{"name": evil, "why": "x"}], {"name": "name", "why": "why"}, "none")
    console().print(Text(evil))
    fail(AssayError(evil))
    assert "".join(capsys.readouterr()).count("a[U+202E]gpj.exe[U+2066]") == 3
    emit({"name": evil}, True, print)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"name": evil}
