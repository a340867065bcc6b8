"""The verdict's statistics: pure functions from scores by arm, seed and item to comparisons with a verdict.

Never reads a store, never imports torch. Start at `compare_experiment`.
"""

from assay_schemas.experiments import CONTROL, PLACEBO

from assay_reporter.statistics.comparison import Comparison
from assay_reporter.statistics.family import ExperimentComparisons, compare_experiment
from assay_reporter.statistics.scores import ArmScores, BenchmarkScores, average_samples

__all__ = [
    "CONTROL",
    "PLACEBO",
    "ArmScores",
    "BenchmarkScores",
    "Comparison",
    "ExperimentComparisons",
    "average_samples",
    "compare_experiment",
]
