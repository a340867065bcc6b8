"""What sections are built from: the evidence, the joined scores and the verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.reports import Verdict

from assay_reporter.evidence import Evidence
from assay_reporter.statistics import BenchmarkScores


@dataclass(frozen=True)
class Findings:
    """`scores` by benchmark id; `flags` are the sentences of a failed placebo check."""

    evidence: Evidence
    scores: dict[str, BenchmarkScores]
    verdicts: list[Verdict]
    flags: list[str] = field(default_factory=list)
