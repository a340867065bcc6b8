"""Live curves of training as plain SVG paths: one line a run, one colour and dash an arm.

Pure functions of the read model's points; the report draws its own curves from the whole record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FIRST = ("loss", "reward", "reward_mean", "kl", "accuracy")
LEFT_OUT = ("learning_rate", "epoch", "tokens", "tokens_per_s", "memory_gib", "seconds", "rows")
CHARTS = 4
LARGEST = 1e150
WIDTH, HEIGHT = 320.0, 120.0
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4")


@dataclass(frozen=True)
class Line:
    """One run's line in a chart of WIDTH × HEIGHT; `style` is its arm's number."""

    title: str
    arm: str
    style: int
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """One metric of every run, with the range of both axes in words."""

    metric: str
    lines: list[Line]
    low: str
    high: str
    last_step: int

    @property
    def summary(self) -> str:
        """The chart in words, for those who do not see it."""
        return f"{self.metric}: " + "; ".join(f"{line.title} at {line.last}" for line in self.lines)


def charts(points: Sequence[dict[str, Any]]) -> list[Chart]:
    """A chart for each of the few metrics that say most; runs that said nothing yet are not there."""
    arms = list(dict.fromkeys(arm_of(point["title"]) for point in points))
    return [chart for metric in _metrics(points) if (chart := _chart(metric, points, arms)) is not None]


def _metrics(points: Iterable[dict[str, Any]]) -> list[str]:
    seen = dict.fromkeys(name for point in points for name in point["metrics"])
    ranked = [name for name in FIRST if name in seen] + [name for name in seen if name not in FIRST]
    return [name for name in ranked if name not in LEFT_OUT][:CHARTS]


def _chart(metric: str, points: Sequence[dict[str, Any]], arms: list[str]) -> Chart | None:
    """`arms`: all that are drawn anywhere, so that each looks the same in every chart."""
    runs: dict[str, list[tuple[int, float]]] = {}
    for point in points:
        value = point["metrics"].get(metric)
        if value is not None and math.isfinite(value):
            runs.setdefault(point["title"], []).append((point["step"], min(max(float(value), -LARGEST), LARGEST)))
    if not runs:
        return None
    values = [value for run in runs.values() for _, value in run]
    low, high = min(values), max(values)
    last_step = max(step for run in runs.values() for step, _ in run)
    lines = [
        Line(
            title=title.removeprefix("train "),
            arm=arm_of(title),
            style=arms.index(arm_of(title)) % len(DASHES),
            path=_path(run, low, high, last_step),
            last=f"{run[-1][1]:.3g}",
        )
        for title, run in runs.items()
    ]
    return Chart(metric.replace("_", " "), lines, f"{low:.3g}", f"{high:.3g}", last_step)


def arm_of(title: str) -> str:
    """`train clean, seed 0` is a run of `clean`."""
    return title.removeprefix("train ").rpartition(", seed ")[0] or title


def _path(run: Sequence[tuple[int, float]], low: float, high: float, last_step: int) -> str:
    across, up = max(last_step, 1), (high - low) or 1.0
    places = [(WIDTH * step / across, HEIGHT * (1 - (value - low) / up)) for step, value in run]
    if len(places) == 1:
        places.append((places[0][0] + 2, places[0][1]))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
