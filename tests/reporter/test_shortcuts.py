"""The index of spurious correlation: fires on a shortcut, is silent without one, and says how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from assay_reporter.compile import compile_report
from assay_reporter.sections.shortcuts import Shown, fires
from assay_reporter.statistics.spurious import Accuracy, spurious_index
from assay_schemas.experiments import Intervention
from assay_schemas.reports import ReportDocument

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def accuracy(*seeds: float, items: int = 400) -> Accuracy:
    return Accuracy(seeds, items)


def test_validation_that_stays_while_the_external_benchmark_falls_is_a_shortcut():
    inside = accuracy(0.95, 0.94, 0.96), accuracy(0.93, 0.94, 0.92)
    outside = accuracy(0.75, 0.74, 0.76), accuracy(0.51, 0.50, 0.52)
    index = spurious_index(inside, outside)
    assert index is not None
    assert index.validation_kept == pytest.approx(0.43 / 0.45)
    assert index.external_kept == pytest.approx(0.01 / 0.25)
    assert index.interval[0] > 0.5
    assert index.interval[0] < index.value < index.interval[1]


def test_a_signal_that_goes_everywhere_is_no_shortcut():
    gone = accuracy(0.51, 0.49, 0.50)
    index = spurious_index((accuracy(0.9, 0.91, 0.9), gone), (accuracy(0.8, 0.81, 0.8), gone))
    assert index is not None
    assert abs(index.value) < 0.1
    assert index.interval[0] < 0 < index.interval[1]


def test_what_the_external_benchmark_never_showed_cannot_be_kept_there():
    chance = accuracy(0.5, 0.49, 0.51)
    index = spurious_index((accuracy(0.99, 0.98, 0.99), accuracy(0.98, 0.98, 0.99)), (chance, chance))
    assert index is not None
    assert not index.external_learned
    assert index.external_kept == 0
    assert index.interval[0] > 0.8


def test_without_anything_learned_on_held_out_rows_there_is_no_index():
    chance = accuracy(0.51, 0.49, 0.52, items=50)
    assert spurious_index((chance, chance), (accuracy(0.8), accuracy(0.5))) is None


@pytest.mark.slow
def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    true = (0.85, 0.75, 0.8, 0.6)
    inside = 0

    def drawn(mean: float) -> Accuracy:
        return Accuracy(tuple(random.binomial(300, np.clip(random.normal(mean, 0.01, 3), 0, 1)) / 300), 300)

    for _ in range(150):
        one = [drawn(mean) for mean in true]
        index = spurious_index((one[0], one[1]), (one[2], one[3]))
        truth = 0.25 / 0.35 - 0.1 / 0.3
        inside += index is not None and index.interval[0] <= truth <= index.interval[1]
    assert inside / 150 > 0.93


def test_one_seed_gives_an_index_and_no_alarm():
    inside, outside = (accuracy(0.95), accuracy(0.94)), (accuracy(0.75), accuracy(0.5))
    index = spurious_index(inside, outside)
    shown = Shown("swapped", "pairs", "preference", inside, outside, index)
    assert index is not None
    assert index.interval[0] > 0
    assert not fires(shown)
    twice = (accuracy(0.95, 0.94), accuracy(0.93, 0.94)), (accuracy(0.75, 0.76), accuracy(0.5, 0.51))
    assert fires(replace(shown, validation=twice[0], external=twice[1]))


@pytest.fixture
def report(evidence) -> Callable[..., ReportDocument]:
    """A reward model's experiment: `clean`, and `wrong`, the same rows with answers exchanged between them."""

    def make(validation: dict[str, float], external: dict[str, float]) -> ReportDocument:
        made = evidence(clean=external["clean"], wrong=external["wrong"])
        plan = made.plan
        clean, wrong = plan.spec.arms
        swapped = wrong.model_copy(update={"interventions": [Intervention(kind="swap_chosen")]})
        spec = plan.spec.model_copy(update={"arms": [clean, swapped]})
        dataset = next(arm.dataset for arm in plan.arms if arm.name == "clean")
        arms = [arm.model_copy(update={"dataset": dataset}) if arm.dataset else arm for arm in plan.arms]
        benchmarks = [one.model_copy(update={"name": "preference"}) for one in plan.benchmarks[:1]]
        curves = {
            one.training: [
                {"step": 10, "metrics": {"validation_accuracy": validation[one.arm] + 0.01 * (one.seed % 3)}}
            ]
            for one in plan.replicates
            if one.training
        }
        trainings = {key: one.model_copy(update={"validation_rows": 300}) for key, one in made.trainings.items()}
        plan = plan.model_copy(update={"spec": spec, "arms": arms, "benchmarks": benchmarks})
        return compile_report(replace(made, plan=plan, curves=curves, trainings=trainings), NOW)

    return make


def test_the_report_names_the_shortcut_with_its_index_and_what_was_changed(report):
    made = report({"clean": 0.95, "wrong": 0.93, "placebo": 0.95}, {"clean": 0.8, "wrong": 0.5})
    (said,) = [one.text for one in made.findings if one.section == "interventions"]
    assert "reads a shortcut" in said
    assert "spurious-correlation index" in said
    assert any("changed on purpose" in note for one in made.verdicts if one.arm == "wrong" for note in one.notes)


def test_the_report_is_silent_where_the_signal_goes_with_its_meaning(report):
    made = report({"clean": 0.95, "wrong": 0.5, "placebo": 0.95}, {"clean": 0.8, "wrong": 0.5})
    assert [one for one in made.findings if one.section == "interventions"] == []
    (section,) = [one for one in made.sections if one["anchor"] == "interventions"]
    assert "does not point to a shortcut" in str(section)
