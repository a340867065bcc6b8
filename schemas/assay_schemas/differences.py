"""How differences, intervals, times and lists are written, the same on pages, in files, terminals and notebooks.

Only words; every number is given.
"""

from __future__ import annotations

from collections.abc import Iterable

from assay_schemas.experiments import CONTROL
from assay_schemas.jobs import Usage
from assay_schemas.reports import ReportDocument, Verdict

LEAST_HOURS = 0.001


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


def duration(seconds: float) -> str:
    """A time to come, no finer than anybody can tell: `40 s`, `4 min`, `2 h 10 min`, `3 d 4 h`."""
    if round(seconds) < 60:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    units = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min")]
    first = next(place for place, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)


def hours(value: float) -> str:
    """Hours of a device: three significant digits, so that little is not written as nothing."""
    if value == 0:
        return "0"
    return three_digits(value) if value >= LEAST_HOURS else f"<{LEAST_HOURS}"


def price(report: ReportDocument) -> str:
    """What the jobs that were not reused took, as far as they told it."""
    if not report.unsaid:
        return device_time(report.usage)
    jobs = "1 stopped job" if report.unsaid == 1 else f"{report.unsaid} stopped jobs"
    return f"{device_time(report.usage)} without {jobs} that never told"


def device_time(used: Usage) -> str:
    """`0.420 GPU-hours`; processor-seconds where no GPU was used."""
    if used.gpu_s:
        return f"{hours(used.gpu_s / 3600)} GPU-hours"
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


def enumerated(parts: Iterable[str]) -> str:
    """`clean, wrong and placebo`; empty where there are none."""
    *others, last = [*parts] or [""]
    return f"{', '.join(others)} and {last}" if others else last
