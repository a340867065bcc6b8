"""A report for Slack: whole, within every limit, and nothing in it is a command."""

from __future__ import annotations

import json

import pytest
from assay_reporter.sinks.slack_blocks import details, headline, whole
from assay_schemas.reports import Cell, Verdict
from hypothesis import given, settings
from hypothesis import strategies as st

URL = "https://assay.example.org/experiments/1"


def texts(message: dict) -> str:
    return json.dumps(message, ensure_ascii=False)


def within_limits(message: dict) -> bool:
    for block in message["blocks"]:
        text = block.get("text", {}).get("text", "x")
        assert 1 <= len(text) <= (150 if block["type"] == "header" else 3000)
    return len(message["blocks"]) <= 50 and len(str(message["blocks"])) <= 13_200 and bool(message["text"])


def test_the_answer_the_table_and_the_link_come_first(report):
    kinds = [block["type"] for block in whole(report(), URL)["blocks"]]
    assert kinds[:2] == ["header", "section"]
    said = texts(whole(report(), URL))
    for part in ("*wrong is worse than control.*", "0.170 ▼ worse", URL, "it fell", "Read the responses."):
        assert part in said
    assert "it fell" not in texts(headline(report(), URL))
    assert "it fell" in texts(details(report()))


def test_a_verdict_is_whole_in_the_table(report):
    made = report()
    cell = Cell(arm=made.arms[1], role="arm", benchmark=made.benchmarks[0], metric="m", mean=0.84, seed_sd=0.028,
                seed_means={0: 0.82, 1: 0.86}, verdict="underpowered")  # fmt: skip
    assert "0.840 ± 0.028 ? underpowered" in texts(headline(report(cells=[cell]), URL))


def test_a_link_that_is_none_is_left_out(report):
    assert "actions" not in texts(whole(report(), "javascript:alert(1)"))


@pytest.mark.parametrize("evil", ["<!channel>", "<https://evil.example|here>", "<@U1>", "&lt;", "```<!here>"])
def test_nothing_that_people_named_is_a_command(report, evil):
    verdict = report().verdicts[0].model_copy(update={"reason": evil})
    made = report(
        name=evil, sentence=evil, question=evil, verdicts=[verdict], next_steps=[evil], missing=[evil],
        arms=["control", evil],
    )  # fmt: skip
    message = whole(made, URL)
    message["blocks"] = [block for block in message["blocks"] if block["type"] != "header"]  # plain text to Slack
    assert "<" not in texts(message)
    table = next(b["text"]["text"] for b in message["blocks"] if b["type"] == "section" and "```" in b["text"]["text"])
    assert table.count("```") == 2


def test_what_is_too_much_is_cut_and_said(report):
    arms = [f"arm-{number}" for number in range(200)]
    names = [f"benchmark-{number}" for number in range(30)]
    verdicts = [
        Verdict(arm=arm, versus="control", benchmark=name, metric="m", verdict="tied", reason="r" * 3500)
        for arm in arms[:20] for name in names
    ]  # fmt: skip
    cells = [Cell(arm=arm, role="arm", benchmark=name, metric="m", mean=0.5) for arm in arms for name in names]
    made = report(
        name="n" * 500, sentence="s" * 9000, arms=arms, benchmarks=names, verdicts=verdicts, cells=cells,
        next_steps=["x" * 2000] * 9,
    )  # fmt: skip
    message = whole(made, URL)
    assert within_limits(message)
    said = texts(message)
    assert "26 more benchmarks are in the report" in said
    assert "more arms are in the report" in said
    assert "more parts are in the report" in said


@settings(max_examples=40)
@given(st.text(), st.text(max_size=4000), st.lists(st.text(max_size=200), max_size=40))
def test_whatever_the_words_are_the_message_is_within_slacks_limits(name, sentence, steps):
    from datetime import UTC, datetime

    from assay_schemas.reports import ReportDocument

    made = ReportDocument(
        experiment_id="1", name=name, outcome="partial", sentence=sentence, arms=["control", *steps], benchmarks=[name],
        cells=[], verdicts=[], next_steps=steps, generated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert all(within_limits(message) for message in (whole(made, URL), headline(made, URL), details(made)))
