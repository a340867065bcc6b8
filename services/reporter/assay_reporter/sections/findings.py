"""What sections are built from: the evidence examined, and the verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.experiments import CONTROL
from assay_schemas.reports import Verdict

from assay_reporter.evidence import Evidence
from assay_reporter.examination import Examination
from assay_reporter.statistics import BenchmarkScores


@dataclass(frozen=True)
class Findings:
    """`flags` are the sentences of a failed placebo check."""

    examined: Examination
    verdicts: list[Verdict]
    flags: list[str] = field(default_factory=list)

    @property
    def evidence(self) -> Evidence:
        return self.examined.evidence

    @property
    def scores(self) -> dict[str, BenchmarkScores]:
        """Joined scores by benchmark id."""
        return self.examined.scores

    def verdict(self, arm: str, benchmark: str, versus: str = CONTROL) -> Verdict | None:
        """What was said of an arm against control, or another arm."""
        listed = (one for one in self.verdicts if (one.arm, one.versus, one.benchmark) == (arm, versus, benchmark))
        return next(listed, None)
