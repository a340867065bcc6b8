"""How a difference, its interval and device time are written, the same on pages, in files, terminals and notebooks.

Only words; every number comes from the verdict.
"""

from __future__ import annotations

from assay_schemas.experiments import CONTROL
from assay_schemas.jobs import Usage
from assay_schemas.reports import ReportDocument, Verdict


def in_points(verdict: Verdict) -> bool:
    """Whether the metric is a share of 1, which people read in points; a guess where the report does not say."""
    if verdict.proportion is not None:
        return verdict.proportion
    means = (verdict.mean, verdict.versus_mean)
    return verdict.higher_is_better and all(mean is not None and 0 <= mean <= 1 for mean in means)


def difference(verdict: Verdict) -> str:
    """A signed difference as people say it: points for shares of 1, else the metric's own unit."""
    if verdict.delta is None:
        return "–"
    unit = "points" if in_points(verdict) else verdict.metric.replace("_", " ")
    return f"{signed(verdict, verdict.delta)} {unit}"


def interval(verdict: Verdict) -> str:
    """`−23.6 to −9.4`, in the unit of `difference`; empty where there is none."""
    return " to ".join(signed(verdict, limit) for limit in verdict.interval or ())


def signed(verdict: Verdict, value: float) -> str:
    """A difference without its unit, with a true minus sign."""
    text = f"{100 * value:+.1f}" if in_points(verdict) else three_digits(value, sign="+")
    return text.replace("-", "−")


def three_digits(value: float, sign: str = "") -> str:
    """Three significant digits; whole numbers from a thousand on, rather than powers of ten."""
    return f"{value:{sign},.0f}" if 1000 <= abs(value) < 1e15 else f"{value:{sign}#.3g}".rstrip(".")


def device_time(used: Usage) -> str:
    """`0.42 GPU-hours`; processor-seconds where no GPU was used."""
    if used.gpu_s:
        return f"{used.gpu_s / 3600:.2f} GPU-hours"
    return f"{used.cpu_s:,.0f} processor-second{'' if round(used.cpu_s) == 1 else 's'}"


def mean(value: float) -> str:
    """A score: three decimals, which is a tenth of a point of a share of 1; fewer of large numbers."""
    return f"{value:.3f}" if abs(value) < 1000 else three_digits(value)


def against_control(report: ReportDocument) -> dict[tuple[str, str], str]:
    """What stands under a cell, by (arm, benchmark): how far it is from control's, with the 95 % interval."""
    return {
        (one.arm, one.benchmark): f"{difference(one)} ({interval(one)})"
        for one in report.verdicts
        if one.versus == CONTROL and one.delta is not None and one.interval is not None
    }
