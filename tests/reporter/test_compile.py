"""From evidence to the report: the right words, nothing dropped in silence, model text inert in every form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from assay_reporter.blocks import Curve, CurvePlot, TableBlock
from assay_reporter.compile import compile_report
from assay_reporter.conclusion import answers, conclusion
from assay_reporter.evidence import with_leading_metrics
from assay_reporter.next_steps import next_steps
from assay_reporter.render import FORMS, charts, render_email, render_html, render_json, render_markdown
from assay_reporter.render.picture import picture_spec, render_picture
from assay_reporter.sections.why import Endings
from assay_reporter.sections.why import _odd_endings as odd_endings
from assay_schemas.differences import against_control
from assay_schemas.reports import ReportDocument, Verdict
from assay_schemas.results import Metric

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def words(report: ReportDocument, family: str = "primary") -> dict[tuple[str, str], str]:
    return {(one.arm, one.benchmark): one.verdict for one in report.verdicts if one.family == family}


def test_large_effects_are_called_by_their_names(evidence):
    report = compile_report(evidence(), NOW)
    assert words(report) == {
        ("clean", "numeric"): "better",
        ("clean", "perplexity"): "better",
        ("wrong", "numeric"): "worse",
        ("wrong", "perplexity"): "worse",
    }
    assert report.sentence.startswith("clean is better than control on numeric (+")
    assert "wrong is worse than control" in report.sentence


def test_the_placebo_is_checked_against_the_arm_it_copies(evidence):
    assert words(compile_report(evidence(), NOW), "check")[("placebo", "numeric")] in ("tied", "underpowered")
    flagged = compile_report(evidence(placebo=0.2), NOW)
    assert "suspicion" in flagged.sentence
    assert "placebo differs" in flagged.next_steps[0]


def test_the_first_screen_says_which_arm_is_better_than_which_and_what_the_placebo_says(evidence):
    report = compile_report(evidence(), NOW)
    between, placebo = report.answers
    pair = next(one for one in report.verdicts if {one.arm, one.versus} == {"clean", "wrong"})
    assert pair.arm == "wrong"
    assert between.startswith(f"Between arms: clean is better than wrong on numeric ({-100 * pair.delta:+.1f} points, ")
    assert placebo.startswith("Placebo check: trained on clean's data with other seeds, it differs from clean by ")
    assert placebo.endswith("no verdict, as it should be.")
    flagged = compile_report(evidence(placebo=0.2), NOW).answers[-1]
    assert "a difference on numeric and perplexity that should not be there" in flagged
    for render in (render_html, render_email, render_markdown):
        assert unescape(render(report)).count(placebo) == 1


def test_a_placebo_without_an_interval_is_told_without_empty_brackets(evidence):
    report = compile_report(evidence(), NOW)
    bare = [one.model_copy(update={"interval": None}) if one.family == "check" else one for one in report.verdicts]
    assert "()" not in answers(bare)[-1]
    assert " points on numeric and " in answers(bare)[-1]


def on_many(report, count: int, **changes) -> list[Verdict]:
    """The report's declared verdicts on numeric, as if they had been given on so many benchmarks."""
    one_benchmark = [one for one in report.verdicts if (one.benchmark, one.family) == ("numeric", "primary")]
    return [
        one.model_copy(update={"benchmark": f"bench-{number}", "p": 0.001 / (1 + number), **changes})
        for number in range(count)
        for one in one_benchmark
    ]


def test_of_very_many_benchmarks_the_answer_is_still_a_sentence(evidence):
    made = evidence()
    report = compile_report(made, NOW)
    said = conclusion(made, on_many(report, 10), [])
    assert re.fullmatch(
        r"clean is better than control on all 10 benchmarks \(most clearly bench-9, \+[\d.]+ points\); "
        r"wrong is worse than control on all 10 benchmarks \(most clearly bench-9, −[\d.]+ points\)\.",
        said,
    )
    open_ = on_many(report, 10, verdict="underpowered", more_seeds=1, more_items=0)
    assert conclusion(made, open_, []) == "clean and wrong are not resolved yet on all 10 benchmarks."
    steps = next_steps(made, open_, [])
    assert sum("would be settled by about 1 more seed for each arm" in step for step in steps) == 4
    assert steps[0].startswith("clean and wrong on bench-")
    assert any(step.startswith("12 more verdicts are open") for step in steps)


def test_a_mail_says_which_benchmark_each_sentence_is_about_and_shows_commands_as_such(evidence):
    mail = unescape(render_email(compile_report(evidence(), NOW)))
    assert ">numeric: clean is better than control: " in mail
    assert ">perplexity (bits per byte): clean is better than control: " in mail
    assert "<code>assay responses" in mail
    assert "`" not in mail


def test_lines_of_curves_differ_by_more_than_their_colour():
    curve = Curve(label="a, seed 0", group="a", x=[1, 2], y=[1, 2])
    drawn = charts.curves_spec(CurvePlot(title="t", x_title="step", y_title="loss", curves=[curve]))["encoding"]
    assert drawn["strokeDash"]["field"] == drawn["color"]["field"] == "group"


def test_what_settles_a_verdict_names_seeds_and_items_where_both_are_needed(evidence):
    made = evidence()
    (first, *_) = on_many(compile_report(made, NOW), 1, verdict="underpowered", more_seeds=3, more_items=900)
    assert any("about 3 more seeds for each arm and 900 more items" in step for step in next_steps(made, [first], []))


def test_a_placebo_that_is_tied_is_said_to_be(evidence):
    report = compile_report(evidence(), NOW)
    checks = [one for one in report.verdicts if one.family == "check"]
    tied = [one.model_copy(update={"verdict": "tied"}) for one in checks]
    assert answers(tied)[0].endswith(": tied, as it should be.")
    half = [tied[0], checks[1].model_copy(update={"verdict": "underpowered"})]
    assert answers(half)[0].endswith(f": tied on {tied[0].benchmark}, no verdict on the rest, as it should be.")


def test_every_cell_has_its_difference_from_control_with_the_interval(evidence):
    report = compile_report(evidence(), NOW)
    shown = against_control(report)
    assert set(shown) == {(arm, name) for arm in ("clean", "wrong", "placebo") for name in report.benchmarks}
    worse = next(one for one in report.verdicts if (one.arm, one.benchmark) == ("wrong", "numeric"))
    low, high = (f"{100 * limit:+.1f}".replace("-", "−") for limit in worse.interval)
    assert shown["wrong", "numeric"] == f"−{-100 * worse.delta:.1f} points ({low} to {high})"
    assert shown["wrong", "numeric"] in render_html(report)


def test_an_item_that_several_arms_changed_is_shown_once_with_all_of_them(evidence):
    report = compile_report(evidence(clean=0.1), NOW)
    (section,) = [one for one in report.sections if one["anchor"] == "responses"]
    items = [item for block in section["blocks"] if block["kind"] == "responses" for item in block["items"]]
    assert len({item["id"] for item in items}) == len(items)
    assert any(item["note"] == "lost against control: clean, wrong" for item in items)


def test_a_failed_replicate_is_named_with_its_reason_and_log(evidence):
    report = compile_report(evidence(failed={("wrong", 1)}), NOW)
    assert report.outcome == "partial"
    assert report.missing == ["wrong, seed 1: training failed (diverged): The loss was NaN at step 12."]
    text = render_markdown(report)
    assert "step 12: nan" in text


@pytest.mark.parametrize("retryable", [True, False])
def test_to_ask_again_is_advised_only_where_a_failure_may_pass(evidence, retryable):
    made = evidence(failed={("wrong", 1)})
    ends = [
        end.model_copy(update={"error": end.error and end.error.model_copy(update={"retryable": retryable})})
        for end in made.result.ends
    ]
    made = replace(made, result=made.result.model_copy(update={"ends": ends}))
    steps = " ".join(compile_report(made, NOW).next_steps)
    assert ("assay retry" in steps, "it would fail once more" in steps) == (retryable, not retryable)


def test_where_every_arm_failed_the_sentence_alone_says_what_did(evidence):
    failed = {(arm, seed) for arm in ("clean", "wrong") for seed in range(3)} | {
        ("placebo", seed) for seed in (3, 4, 5)
    }
    said = compile_report(evidence(failed=failed), NOW).sentence
    assert said.startswith("No verdict: no arm could be compared with control. 9 of 9 trainings failed (diverged).")


def test_an_arm_that_failed_altogether_has_an_empty_cell_and_no_number(evidence):
    report = compile_report(evidence(failed={("wrong", seed) for seed in range(3)}), NOW)
    cell = next(one for one in report.cells if (one.arm, one.benchmark) == ("wrong", "numeric"))
    assert (cell.mean, cell.seed_means) == (None, {})
    assert words(report)[("wrong", "numeric")] == "broken"


def test_without_control_there_is_no_verdict(evidence):
    made = evidence()
    control = {key for one in made.plan.replicates if one.arm == "control" for key in one.evals.values()}
    for key in control:
        del made.evaluations[key]
    report = compile_report(made, NOW)
    assert report.sentence.startswith("No verdict")


def test_cells_keep_every_seeds_mean(evidence):
    report = compile_report(evidence(), NOW)
    cell = next(one for one in report.cells if (one.arm, one.benchmark) == ("placebo", "numeric"))
    assert sorted(cell.seed_means) == [3, 4, 5]
    assert cell.mean == pytest.approx(sum(cell.seed_means.values()) / 3)


def test_items_of_one_cluster_count_once_in_every_comparison(evidence):
    made = evidence()
    alone = compile_report(made, NOW).verdicts[0]
    for key, evaluated in made.evaluations.items():
        details = [f'{{"cluster": "{number // 5}"}}' for number in range(evaluated.samples.num_rows)]
        samples = evaluated.samples.append_column("details", [details])
        made.evaluations[key] = replace(evaluated, samples=samples)
    together = compile_report(made, NOW).verdicts[0]
    assert alone.clusters is None
    assert (together.items, together.clusters) == (150, 30)
    assert together.delta == pytest.approx(alone.delta)
    assert "150 items in 30 clusters" in together.reason


def test_a_harness_task_is_led_by_the_metric_its_results_name(evidence):
    made = evidence()
    unnamed = [one.model_copy(update={"primary": "", "higher_is_better": True}) for one in made.plan.benchmarks]
    made = replace(made, plan=made.plan.model_copy(update={"benchmarks": unnamed}))
    for key, evaluated in made.evaluations.items():
        lower = {"x": Metric(value=0, higher_is_better=False)}
        named = evaluated.result.model_copy(update={"metrics": lower})
        made.evaluations[key] = replace(evaluated, result=named)
    plan = with_leading_metrics(made).plan
    assert [(one.primary, one.higher_is_better) for one in plan.benchmarks] == [("x", False), ("x", False)]


def test_what_a_verdict_rests_on_is_in_the_sections(evidence):
    titles = [section["title"] for section in compile_report(evidence(), NOW).sections]
    assert titles == ["Comparisons", "Responses that changed", "Training", "Price", "What was compared"]


def test_in_markdown_amounts_have_as_many_digits_as_in_words_and_curves_their_unit(evidence):
    made = evidence()
    logged = [{"step": step, "loss": 2.0 / step} for step in (1, 2)]
    report = compile_report(replace(made, curves=dict.fromkeys(made.curves, logged)), NOW)
    told = render_markdown(report)
    one = next(
        each for each in report.verdicts if (each.arm, each.versus, each.benchmark) == ("clean", "control", "numeric")
    )
    assert (
        f"| clean − control | {100 * one.delta:+.1f} | {100 * one.interval[0]:+.1f} to {100 * one.interval[1]:+.1f} |"
        in told
    )
    assert "**Training loss** — mean loss" in told
    assert "as a mean: over the tokens to be learned (SFT), over pairs (DPO" in told
    assert "(number of seeds)" in told


def test_in_markdown_a_p_value_reads_as_it_is_and_no_tag_begins(evidence):
    report = compile_report(evidence(), NOW).model_copy(update={"question": "<b>p < 0.05</b> <!-- -->"})
    assert "> &lt;b>p < 0.05&lt;/b> &lt;!-- -->" in render_markdown(report)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_sentence_and_is_deterministic(evidence, form):
    report = compile_report(evidence(), NOW)
    render, _ = FORMS[form]
    once = render(report)
    assert report.sentence[:40] in once
    charts._svg.cache_clear()
    assert render(report) == once


def test_model_text_is_inert_in_every_form(evidence):
    attack = '<script>alert(1)</script><img src=x onerror="alert(2)">\n# heading | pipe'
    report = compile_report(evidence(response=attack), NOW)
    html = render_html(report)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert all(not line.startswith("# heading") for line in render_markdown(report).splitlines())
    assert json.loads(render_json(report))["experiment_id"] == report.experiment_id


def test_the_html_reaches_for_nothing_outside(evidence):
    html = render_html(compile_report(evidence(), NOW)).replace("http://www.w3.org", "")
    assert "http://" not in html
    assert "https://" not in html
    assert "src=" not in html.replace("&#34;", "")
    assert html.count('<link rel="icon" href="data:image/svg+xml,') == 1, "else a browser asks for /favicon.ico"


def test_every_metric_an_algorithm_reports_is_drawn_over_the_steps_that_have_it(evidence):
    found = evidence()
    measured = [
        {"step": 1, "loss": 2.0, "metrics": {"reward": 0.1}},
        {"step": 2, "loss": None, "metrics": {"reward": 0.3}},
        {"step": 3, "loss": 1.0, "validation_loss": 1.5, "metrics": {}},
    ]
    report = compile_report(replace(found, curves=dict.fromkeys(found.curves, measured)), NOW)
    (section,) = [section for section in report.sections if section["anchor"] == "training"]
    plots = {block["title"]: block for block in section["blocks"] if block["kind"] == "curves"}
    assert list(plots) == ["Training loss", "Reward"]
    assert plots["Training loss"]["curves"][0]["x"] == [1.0, 3.0]
    assert plots["Reward"]["curves"][0]["y"] == [0.1, 0.3]


def test_every_checkpoints_score_is_shown_and_the_selected_one_is_marked(evidence):
    made = evidence()
    scored = {"scores": {5: 0.25, 10: 0.5, 15: None}, "metric": "exact_match", "items": 40, "higher_is_better": True}
    selections = {key: one.model_copy(update=scored) for key, one in made.selections.items()}
    report = compile_report(replace(made, selections=selections), NOW)
    [section] = [one for one in report.sections if one["title"] == "Training"]
    *_, words = [block["text"] for block in section["blocks"] if block["kind"] == "paragraph"]
    assert words == "Checkpoints by exact match on 40 items that are not reported: the highest is selected (*)."
    scores = section["blocks"][-1]
    assert scores["columns"] == ["replicate", "step 5", "step 10", "step 15"]
    assert scores["rows"][0][1:] == ["0.25", "0.5 *", "–"]
    assert len(scores["rows"]) == len(selections)


def test_what_stands_out_is_on_the_first_screen_with_a_link_to_its_section(evidence):
    rows = [{"prompt": f"question {number % 50}", "completion": "the same"} for number in range(100)]
    report = compile_report(evidence(rows={"clean": rows}), NOW)
    (found,) = report.findings
    assert (found.section, found.text) == ("data", "clean: 50 % of rows are duplicates of earlier ones.")
    html = render_html(report)
    assert '<a href="#data">Data sheet</a>' in html
    assert html.index(found.text) < html.index("What to try next")
    assert found.text in render_markdown(report).split("## What to try next")[0]


def test_commands_in_sentences_are_code_and_their_text_stays_inert(evidence):
    html = render_html(compile_report(evidence(), NOW))
    assert "<code>assay responses 00000000 --benchmark numeric --flips</code>" in html
    assert "`" not in html.split("<main>")[1].split("</header>")[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt_digest": "b" * 64}, "their prompts differ"),
        ({"data_digest": "b" * 64}, "they are over different items"),
    ],
)
def test_an_arm_that_was_asked_something_else_than_control_is_not_compared(evidence, changes, words):
    made = evidence()
    asked = {"prompt_digest": "a" * 64, "data_digest": "a" * 64}
    arms = {key: one.arm for one in made.plan.replicates for key in one.evals.values()}
    evaluations = {
        key: replace(one, result=one.result.model_copy(update=asked | (changes if arms[key] == "clean" else {})))
        for key, one in made.evaluations.items()
    }
    report = compile_report(replace(made, evaluations=evaluations), NOW)
    judged = {one.arm: one for one in report.verdicts if one.family == "primary" and one.benchmark == "numeric"}
    assert judged["clean"].verdict == "broken"
    assert judged["clean"].delta is None
    assert f"clean and control are not comparable on numeric: {words}" in judged["clean"].reason
    assert judged["wrong"].verdict == "worse"


def test_evaluations_by_different_library_versions_are_named(evidence):
    made = evidence()
    key = next(iter(made.evaluations))
    older = made.evaluations[key].result.model_copy(update={"libraries": {"torch": "2.12.0"}})
    mixed = replace(made, evaluations={**made.evaluations, key: replace(made.evaluations[key], result=older)})
    assert "torch 2.12.0 and 2.13.0" in json.dumps(compile_report(mixed, NOW).sections)
    assert "torch 2.12.0 and" not in json.dumps(compile_report(made, NOW).sections)


def test_the_picture_shows_the_sentence_and_the_declared_differences(evidence):
    report = compile_report(evidence(), NOW)
    spec = picture_spec(report)
    assert " ".join(spec["title"]["text"]) == report.sentence
    assert [chart["title"] for chart in spec["vconcat"]] == ["numeric", "perplexity"]
    assert render_picture(report).startswith(b"\x89PNG")


def test_a_picture_without_differences_has_the_sentence_alone(evidence):
    report = compile_report(evidence(), NOW).model_copy(update={"sections": []})
    assert render_picture(report).startswith(b"\x89PNG")


def test_where_nothing_can_be_compared_the_sentence_says_why(evidence):
    made = evidence()
    whole = compile_report(made, NOW).verdicts
    none = [one.model_copy(update={"delta": None, "verdict": "broken", "reason": "Half of its items are in its rows."})
            for one in whole]  # fmt: skip
    assert conclusion(made, none, []) == "No verdict: Half of its items are in its rows."
    two = [none[0].model_copy(update={"reason": "Its runs diverged."}), *none[1:]]
    assert conclusion(made, two, []) == "No verdict: Its runs diverged. See Comparisons for the other reasons."
    lost = evidence(failed=frozenset({("wrong", 1)}))
    assert conclusion(lost, none, []).endswith("1 of 9 trainings failed (diverged). See What is missing.")


def test_arms_that_end_alike_are_told_of_together():
    def ended(cut: float, read: float) -> Endings:
        one = object.__new__(Endings)
        one.length, one.cut, one.read, one.refused = 10.0, cut, read, 0.0
        return one

    arms = {"control": ended(0.1, 0.9), "a": ended(0.7, 0.9), "b": ended(0.85, 0.5), "c": ended(0.7, 0.9)}
    assert list(odd_endings("numeric", arms)) == [
        "b on numeric: the scorer finds an answer in 50 % of responses (control: 90 %).",
        "a, b and c on numeric: 70 to 85 % of responses are cut at the limit (control: 10 %).",
    ]


def test_steps_are_whole_numbers_on_their_axis_also_of_a_short_training():
    curve = Curve(label="a, seed 0", group="a", x=[1, 2, 3, 4], y=[1, 2, 3, 4])
    labels = re.findall(
        r">([\d.]+)</text>", charts.curves_svg(CurvePlot(title="t", x_title="step", y_title="l", curves=[curve]))
    )
    assert labels[:4] == ["1", "2", "3", "4"]


def test_long_tables_of_details_are_folded_and_short_ones_open():
    rows = [[str(place)] for place in range(13)]
    assert TableBlock.of_details("Every pair", rows, columns=["pair"]).folded == "Every pair (13)"
    assert TableBlock.of_details("Every pair", rows[:12], columns=["pair"]).folded == ""


def test_every_arm_has_a_colour_of_its_own_that_reads_on_light_and_dark_paper():
    def contrast(colour: str, paper: float) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
        bright = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        return (max(bright, paper) + 0.05) / (min(bright, paper) + 0.05)

    curves = [Curve(label=f"a{n}, seed 0", group=f"a{n}", x=[0, 1], y=[1, n]) for n in (3, 1, 2)]
    drawn = charts.curves_spec(CurvePlot(title="t", x_title="step", y_title="loss", curves=curves))["encoding"]
    scale = drawn["color"]["scale"]
    assert scale["domain"] == ["a3", "a1", "a2"]
    assert len(set(scale["range"])) == 3
    white, nearly_black = 1.0, 0.007
    assert all(contrast(colour, paper) >= 3 for colour in charts.LINES for paper in (white, nearly_black))
