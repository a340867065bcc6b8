"""What the simulation counts as reported is what a report says of the same scores."""

from __future__ import annotations

import numpy as np
import pytest
from assay_reporter.statistics import CONTROL, ArmScores, BenchmarkScores, compare_experiment
from assay_reporter.statistics.family import holm
from assay_reporter.statistics.interval import LEVEL

from benchmarks.reported_verdicts import Reported, holm_rejects, report
from benchmarks.verdict_calibration import Cell, Experiments, simulate

CALLED = ("better", "worse")


def test_steps_without_p_values_reject_what_corrected_p_values_reject() -> None:
    random = np.random.default_rng(3)
    for p in random.uniform(size=(2000, 5)) ** 5:
        levels = LEVEL / np.arange(5, 0, -1)
        rejected = holm_rejects(p <= levels[:, None])
        assert rejected.tolist() == [corrected <= LEVEL for corrected in holm(p.tolist())]


def said_by_reports(chunk: Experiments, benchmarks: int) -> Reported:
    """The same counts by the reporter's own way through one experiment after another."""
    items = [f"q{place}" for place in range(chunk.cell.items)]
    said = Reported()
    for start in range(0, len(chunk.arms), benchmarks):
        scores = []
        for row in range(start, start + benchmarks):
            arms = {f"arm {arm}": ArmScores(items, of_arm) for arm, of_arm in enumerate(chunk.arms[row])}
            control = ArmScores(items, chunk.control[row][None], trained=False)
            scores.append(BenchmarkScores(f"benchmark {row}", {CONTROL: control, **arms}))
        primary = compare_experiment(scores).of("primary")
        called = sum(each.verdict in CALLED for each in primary)
        given = sum(each.p is not None for each in primary)
        said += Reported(given, called, 1, int(called > 0))
    return said


@pytest.mark.parametrize("benchmarks", [1, 5])
def test_a_simulated_report_says_what_the_reporter_says(benchmarks: int) -> None:
    random = np.random.default_rng(5)
    counted, said = Reported(), Reported()
    for chunk in simulate(Cell(60, 3, 3, 0.05), 60, 0.2, random, benchmarks):
        counted += report(chunk, benchmarks)
        said += said_by_reports(chunk, benchmarks)
    assert counted == said
    assert 0 < counted.called < counted.given
    assert 0 < counted.any_called < counted.experiments
