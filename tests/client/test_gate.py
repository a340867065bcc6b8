"""A policy applied to verdicts: what passes, what blocks, and what nobody can say."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from assay.cli import app
from assay.errors import Refused
from assay.gate import decide
from assay.policy import Policy, read_policy
from assay_schemas.events import GateDecided
from assay_schemas.reports import CONFIDENCES, ReportDocument, Verdict
from typer.testing import CliRunner

ID = "3f1c0000-0000-0000-0000-000000000000"
RUNNER = CliRunner()


def verdict(delta: float | None, width: float = 0.03, **changes) -> Verdict:
    """At 95 % one-sided confidence the bounds are delta ± width."""
    values = {
        "arm": "new", "versus": "control", "benchmark": "gsm8k", "metric": "exact_match", "verdict": "underpowered",
        "reason": "said by the report", "mean": 0.5, "versus_mean": 0.5, "delta": delta, "smallest_effect": 0.02,
        "half_widths": {c: width * (1 + c - 0.95) for c in CONFIDENCES} if delta is not None else {},
    }  # fmt: skip
    return Verdict.model_validate({**values, **changes})


def decided(policy: dict, *verdicts: Verdict):
    return decide(read_policy(policy), ID, verdicts)


@pytest.mark.parametrize(
    ("delta", "width", "outcome"),
    [(0.02, 0.03, "pass"), (-0.2, 0.05, "block"), (-0.02, 0.03, "inconclusive"), (0.0, 0.01, "pass")],
)
def test_what_may_not_fall_passes_only_when_a_larger_fall_is_excluded(delta, width, outcome):
    assert decided({"must_not_fall": ["gsm8k"]}, verdict(delta, width)).decision == outcome


@pytest.mark.parametrize(
    ("delta", "width", "outcome"),
    [(0.05, 0.03, "pass"), (0.0, 0.01, "block"), (-0.1, 0.05, "block"), (0.02, 0.03, "inconclusive")],
)
def test_what_must_rise_passes_only_when_a_rise_is_shown(delta, width, outcome):
    assert decided({"must_rise": ["gsm8k"]}, verdict(delta, width)).decision == outcome


def test_how_much_and_how_surely_are_the_policys():
    risen = verdict(0.05)
    assert decided({"must_rise": [{"benchmark": "gsm8k", "by": 0.01}]}, risen).decision == "pass"
    assert decided({"must_rise": [{"benchmark": "gsm8k", "by": 0.04}]}, risen).decision == "inconclusive"
    assert decided({"must_rise": [{"benchmark": "gsm8k", "by": 0.2}]}, risen).decision == "block"
    edge = verdict(0.03, 0.03, half_widths={0.8: 0.01, 0.999: 0.09})
    assert decided({"must_rise": [{"confidence": 0.8}]}, edge).decision == "pass"
    assert decided({"must_rise": [{"confidence": 0.999}]}, edge).decision == "inconclusive"


def test_where_lower_is_better_a_smaller_number_is_a_rise():
    better = verdict(-0.2, 0.05, higher_is_better=False, metric="bits_per_byte")
    found = decided({"must_rise": ["*"]}, better)
    assert found.decision == "pass"
    assert "+0.200 bits per byte, between +0.150" in found.reasons[0]
    assert "+ is an improvement" in found.reasons[0]


def test_arms_are_compared_with_the_one_the_policy_names_in_either_order():
    policy = {"arms": ["new"], "against": "today", "must_rise": ["*"]}
    against_control = [verdict(0.3), verdict(0.3, arm="today")]
    assert decided(policy, *against_control, verdict(0.1, versus="today")).decision == "pass"
    turned = verdict(-0.1, arm="today", versus="new", family="exploratory")
    assert decided(policy, *against_control, turned).decision == "pass"
    assert "not compared" in decided(policy, *against_control).reasons[0]


def test_one_block_blocks_and_what_is_missing_never_passes():
    good, bad = verdict(0.1), verdict(-0.2, benchmark="mmlu")
    broken = verdict(None, benchmark="ifeval", verdict="broken", reason="every run diverged")
    assert decided({"must_not_fall": ["*"]}, good, bad, broken).decision == "block"
    found = decided({"must_not_fall": ["*"]}, good, broken)
    assert found.decision == "inconclusive"
    assert found.reasons == ["new on ifeval: every run diverged"]
    assert decided({"must_not_fall": ["*"]}).decision == "inconclusive"


def test_a_failed_placebo_check_leaves_everything_open():
    check = verdict(0.1, arm="placebo", versus="new", family="check", verdict="better")
    found = decided({"must_rise": ["*"]}, verdict(0.2), check)
    assert found.decision == "inconclusive"
    assert "placebo" in found.reasons[0]


def test_every_problem_of_a_policy_is_said_at_once():
    document = {
        "against": 3, "must_fall": [], "must_not_fall": [{"benchmark": "a", "by": 0}],
        "must_rise": [{"by": -1}, {"confidence": 0.94}],
    }  # fmt: skip
    with pytest.raises(Refused) as refusal:
        read_policy(document)
    fields = {problem.field for problem in refusal.value.problems}
    assert fields == {"against", "must_fall", "must_not_fall.0.by", "must_rise.0.by", "must_rise.1.confidence"}
    assert "'must_not_fall'" in str(refusal.value) or "'must_rise'" in str(refusal.value)


def test_what_is_wrong_in_a_policy_hides_nothing_of_what_does_not_fit_the_experiment():
    document = {
        "arms": ["newer"], "against": "contrl", "must_fall": ["a"], "must_not_fall": [3],
        "must_rise": [{"benchmark": "gsm8", "by": -1, "surely": 1}, {"by": 2}],
    }  # fmt: skip
    with pytest.raises(Refused) as refusal:
        read_policy(document, [verdict(0.1)])
    fields = [problem.field for problem in refusal.value.problems]
    assert sorted(fields) == [
        "against", "arms.0", "must_fall", "must_not_fall.0", "must_rise.0.benchmark", "must_rise.0.by",
        "must_rise.0.surely", "must_rise.1.by",
    ]  # fmt: skip


def test_the_command_says_all_of_it_at_once(stored, tmp_path):
    stored(verdict(0.2))
    answer = run(tmp_path, "must_ris: ['*']\nmust_not_fall: [gsm]", "--json")
    assert answer.exit_code == 2
    assert {one["field"] for one in json.loads(answer.output)["problems"]} == {"must_ris", "must_not_fall.0.benchmark"}


@pytest.mark.parametrize("document", [{}, {"arms": ["a"]}, {"must_rise": []}, 3])
def test_a_policy_without_a_rule_is_refused(document):
    with pytest.raises(Refused):
        read_policy(document)


def test_what_does_not_fit_the_experiment_is_said_at_once_with_the_nearest_name():
    policy = {"arms": ["newer"], "against": "contrl", "must_rise": ["gsm8", {"benchmark": "gsm8k", "by": 2}]}
    with pytest.raises(Refused) as refusal:
        decided(policy, verdict(0.1))
    said = str(refusal.value)
    for part in ("arms.0", "'new'", "'control'", "must_rise.0.benchmark", "'gsm8k'", "For 2 points write 0.02"):
        assert part in said


def test_an_arm_is_not_held_against_itself():
    policy = read_policy({"arms": ["new"], "against": "new", "must_rise": ["*"]})
    with pytest.raises(Refused, match=r"arms\.0: 'new' is what the arms are held against"):
        decide(policy, "e", [verdict(0.1, 0.01)])


def test_equal_policies_are_the_same_event_whatever_they_leave_out():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    short = decided({"must_rise": ["gsm8k"]}, verdict(0.1)).event("/x", now)
    long = decided({"must_rise": [{"benchmark": "gsm8k", "confidence": 0.95}]}, verdict(0.1)).event("/x", now)
    assert short == long
    assert GateDecided.model_validate(short.data).decision == "pass"
    assert Policy(must_rise=[]).digest != short.data["policy"]


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A store with one report in it, and no other part of a system."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("ASSAY_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ASSAY_OBJECT_STORE", f"file://{tmp_path}/store")
    monkeypatch.delenv("ASSAY_API_URL", raising=False)
    folder = tmp_path / "store" / "reports" / ID
    folder.mkdir(parents=True)

    def write(*verdicts: Verdict) -> None:
        report = ReportDocument(
            experiment_id=ID, name="n", outcome="succeeded", sentence="s", arms=["control", "new"],
            benchmarks=["gsm8k"], cells=[], verdicts=list(verdicts), generated_at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        (folder / "report.json").write_text(report.model_dump_json())

    return write


def run(tmp_path, text: str, *options: str):
    file = tmp_path / "gate.yaml"
    file.write_text(text)
    return RUNNER.invoke(app, ["gate", ID, "--policy", str(file), *options])


@pytest.mark.parametrize(("delta", "code"), [(0.2, 0), (-0.2, 1), (0.0, 4)])
def test_the_exit_code_is_the_decision(stored, tmp_path, delta, code):
    stored(verdict(delta))
    answer = run(tmp_path, "must_not_fall: ['*']", "--json")
    assert answer.exit_code == code
    found = json.loads(answer.output)
    assert (found["decision"], found["checks"][0]["arm"]) == ({0: "pass", 1: "block", 4: "inconclusive"}[code], "new")


def test_a_bad_policy_and_a_missing_report_have_exit_codes_of_their_own(stored, tmp_path):
    answer = run(tmp_path, "must_ris: ['*']", "--json")
    assert answer.exit_code == 2
    assert {one["field"] for one in json.loads(answer.output)["problems"]} == {"(whole document)", "must_ris"}
    assert run(tmp_path, "must_rise: ['*']").exit_code == 3
