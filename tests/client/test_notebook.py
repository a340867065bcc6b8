"""What a run looks like in a notebook: the answer, the table and the plots, and nothing that runs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime

import pytest
from assay.forest_plot import forest_svg
from assay.notebook import report_html
from assay_schemas.reports import Cell, ReportDocument, Verdict

EVIL = "<script>alert('1')</script>\"&"


def verdict(word: str, delta: float | None, low: float = 0.0, high: float = 0.0, **changes) -> Verdict:
    plain = {"arm": "new", "versus": "control", "benchmark": "gsm8k", "metric": "m", "reason": "said", "verdict": word}
    interval = None if delta is None else (low, high)
    return Verdict.model_validate({**plain, "delta": delta, "interval": interval, "smallest_effect": 0.02, **changes})


def report(name: str, verdicts: list[Verdict]) -> ReportDocument:
    cell = Cell(arm=name, role="arm", benchmark=name, metric="m", mean=0.5, verdict="better")
    return ReportDocument(
        experiment_id="1", name=name, outcome="succeeded", sentence=name, arms=[name], benchmarks=[name], cells=[cell],
        verdicts=verdicts, next_steps=[name], generated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_the_answer_the_table_and_the_plot_are_there_and_inert():
    shown = report_html(report(EVIL, [verdict("worse", -0.2, -0.3, -0.1, arm=EVIL, benchmark=EVIL, reason=EVIL)]))
    assert "<script" not in shown
    assert all(part in shown for part in ("<table>", "<svg", "▲ better", "What to try next", "&lt;script&gt;"))


def test_a_cell_has_the_difference_with_its_interval_and_the_answers_follow_the_table():
    made = report("new", [verdict("better", 0.2, 0.1, 0.3, mean=0.5, versus_mean=0.3, benchmark="new")])
    shown = report_html(made.model_copy(update={"answers": [EVIL]}))
    assert "0.500 ▲ better<br><small>+20.0 points (+10.0 to +30.0)</small>" in shown
    assert shown.index("</table>") < shown.index("&lt;script&gt;")
    assert "<script" not in shown


def test_the_table_says_which_way_is_better_and_an_arm_without_scores_what_it_is():
    made = report("new", [verdict("broken", None, benchmark="new", metric="bits_per_byte", higher_is_better=False)])
    broken = made.cells[0].model_copy(update={"mean": None, "verdict": "broken"})
    shown = report_html(made.model_copy(update={"cells": [broken]}))
    assert "<th>new<br>bits per byte, lower is better</th>" in shown
    assert "<td>– ✗ broken</td>" in shown
    assert "the grey band is ± the smallest effect of interest" in shown


@pytest.mark.parametrize("word", ["better", "worse", "tied", "underpowered", "broken"])
def test_every_verdict_has_a_shape_of_its_own_within_the_picture(word):
    drawn = forest_svg("gsm8k", [verdict(word, 0.1, -0.05, 0.25), verdict("tied", 0.0)])
    root = ElementTree.fromstring(drawn)
    assert root.tag == "figure"
    places = [one.get("transform") for one in root.iter() if one.get("transform")]
    assert all(0 <= float(place.removeprefix("translate(").split()[0]) <= 640 for place in places if place)
    assert len(places) == 2


def test_the_plot_counts_in_points_where_the_table_does():
    drawn = forest_svg("gsm8k", [verdict("better", 0.2, 0.1, 0.3, mean=0.5, versus_mean=0.3)])
    assert "difference in points of m, right is better" in drawn
    assert ">+30.0</text>" in drawn


def test_what_has_no_interval_is_not_drawn():
    assert forest_svg("gsm8k", [verdict("broken", None)]) == ""
    assert forest_svg("mmlu", [verdict("better", 0.1, 0.05, 0.2)]) == ""
