"""Responses of a megabyte, in every script, or made of markup: whole numbers, short pages, and nothing that runs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from assay_reporter.compile import compile_report
from assay_reporter.render import FORMS, render_email, render_html, render_markdown
from assay_reporter.sections.flips import LONGEST_TEXT
from assay_reporter.sinks.slack_blocks import whole
from assay_schemas.reports import ReportDocument
from assay_schemas.visible import DIRECTIONS

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MEGABYTE = 2**20
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)></pre></main><!-- ]]> {{ 7*7 }}"
UNICODE = "\u202eright to left\u202c e\u0301 \U0001f469\u200d\U0001f467 \u0000\ufffe \u65e5\u672c z\u0337\u0322"
LONG = [
    "so we have nine apples and then " * (MEGABYTE // 32),
    "x" * MEGABYTE,
    "7" * MEGABYTE,
    "\n" * MEGABYTE,
    (UNICODE * (MEGABYTE // len(UNICODE.encode()) + 1))[: MEGABYTE // 2],
]


def test_responses_of_a_megabyte_change_no_number_and_are_cut_on_the_page(evidence):
    def says(arm: str, number: int, right: bool) -> str:
        answer = f"#### {number + 1 if right else number}"
        return LONG[number] + answer if number < len(LONG) and arm in ("control", "wrong") else answer

    plain = evidence(says=lambda _, number, right: f"#### {number + 1 if right else number}")
    long, short = (compile_report(made, NOW) for made in (evidence(says=says), plain))
    assert [(one.delta, one.interval) for one in long.verdicts] == [(one.delta, one.interval) for one in short.verdicts]
    for form, (render, _) in FORMS.items():
        assert len(render(long)) < len(render(short)) + 200 * LONGEST_TEXT, form


@pytest.mark.parametrize("score", [math.inf, -math.inf])
def test_an_infinite_score_is_broken_and_its_report_is_read_back(evidence, score):
    made = evidence()
    worst = next(one.evals["numeric"] for one in made.plan.replicates if one.arm == "wrong")
    samples = made.evaluations[worst].samples
    place = samples.column_names.index("score")
    odd = samples.set_column(place, "score", pa.array([score, *samples.column("score").to_pylist()[1:]]))
    made = replace(made, evaluations={**made.evaluations, worst: replace(made.evaluations[worst], samples=odd)})
    report = compile_report(made, NOW)
    (cell,) = [one for one in report.cells if one.arm == "wrong" and one.benchmark == "numeric"]
    assert (cell.mean, cell.seed_sd, cell.verdict) == (None, None, "broken")
    assert ReportDocument.model_validate_json(FORMS["json"][0](report)) == report
    for form, (render, _) in FORMS.items():
        assert not re.search(r"\b(nan|inf)\b", render(report)), form


@pytest.mark.parametrize("text", [EVIL, UNICODE])
def test_odd_text_is_inert_and_there_in_every_form(evidence, text):
    made = evidence(says=lambda arm, number, right: f"{text} #### {number + (right and arm != 'wrong')}")
    report = compile_report(made, NOW)
    for html in (render_html(report), render_email(report)):
        assert "<script" not in html
        assert "<img" not in html
        assert html.count("</main>") == html.count("<main>")
    assert ("{{ 7*7 }}" in render_html(report)) == (text == EVIL)
    assert json.loads(FORMS["json"][0](report))["sections"]
    lines = render_markdown(report).splitlines()
    assert all("<script" not in line for line in lines if not line.startswith("    "))
    assert "<" not in json.dumps(whole(report, ""), ensure_ascii=False)


def test_nothing_turns_the_text_around_it_in_any_form_that_people_read(evidence):
    made = evidence(says=lambda arm, number, right: f"{UNICODE} #### {number + (right and arm != 'wrong')}")
    turned = {"name": "\u202eemaN", "question": "\u2066Why?", "answers": ["`\u202dcode`"], "missing": ["\u202eline"]}
    report = compile_report(made, NOW).model_copy(update=turned)
    slack = json.dumps(whole(report, ""), ensure_ascii=False)
    html, markdown = render_html(report), render_markdown(report)
    for told in (html, render_email(report), markdown, slack):
        assert not DIRECTIONS.search(told)
        assert "[U+202E]emaN" in told
    for told in (html, markdown):
        assert "[U+202E]right to left[U+202C]" in told
    assert json.loads(FORMS["json"][0](report))["name"] == report.name
