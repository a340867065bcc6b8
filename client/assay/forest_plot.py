"""Differences with their intervals as one SVG figure: drawn by hand, so that a notebook needs no plotting library.

No scripts and no outside requests; all text is escaped. The shape as well as the colour tells the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from assay_schemas.differences import in_points, signed
from assay_schemas.reports import Verdict, VerdictWord

WIDTH, ROW, LABELS, MARGIN = 640.0, 26.0, 190.0, 12.0
COLOURS: dict[VerdictWord, str] = {
    "better": "#2e8b57",
    "worse": "#d1495b",
    "tied": "#2a9db0",
    "underpowered": "#c58b00",
    "broken": "#8b2fc9",
}
SHAPES: dict[VerdictWord, str] = {
    "better": "M-5 4L5 4L0 -6Z",
    "worse": "M-5 -4L5 -4L0 6Z",
    "tied": "M-5 -5H5V5H-5Z",
    "underpowered": "M0 -5A5 5 0 1 0 0.01 -5Z",
    "broken": "M-5 -5L5 5M-5 5L5 -5",
}


def forest_svg(benchmark: str, verdicts: Sequence[Verdict]) -> str:
    """One benchmark's comparisons that have an interval; nothing where none has."""
    shown = [one for one in verdicts if one.benchmark == benchmark and one.delta is not None and one.interval]
    if not shown:
        return ""
    ends = [0.0, *(end for one in shown for end in one.interval or ())]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return LABELS + MARGIN + (WIDTH - LABELS - 2 * MARGIN) * (value - low) / span

    height = ROW * (len(shown) + 1)
    rows = "".join(_row(one, ROW * (place + 0.5), across) for place, one in enumerate(shown))
    smallest = shown[0].smallest_effect or 0.0
    left, right = max(across(-smallest), LABELS), min(across(smallest), WIDTH)
    band = f'<rect x="{left:.1f}" y="0" width="{max(right - left, 0):.1f}" height="{height - ROW:.1f}" '
    band += 'fill="#808080" opacity="0.15"/>'
    zero = f'<path d="M{across(0):.1f} 0V{height - ROW:.1f}" stroke="#808080" stroke-dasharray="4 3"/>'
    ticks = "".join(
        f'<text x="{across(value):.1f}" y="{height - 8:.1f}" text-anchor="{anchor}">{signed(shown[0], value)}</text>'
        for value, anchor in ((low, "start"), (high, "end"))
        if value
    )
    better = "right" if shown[0].higher_is_better else "left"
    unit = "points of " if in_points(shown[0]) else ""
    words = escape(f"{benchmark}: difference in {unit}{shown[0].metric.replace('_', ' ')}, {better} is better")
    return (
        f'<figure style="margin:8px 0"><figcaption>{words}</figcaption>'
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{words}" '
        f'viewBox="0 0 {WIDTH:.0f} {height:.0f}" width="{WIDTH:.0f}" style="max-width:100%" '
        'font-family="sans-serif" font-size="12" fill="currentColor">'
        f"{band}{zero}{rows}{ticks}</svg></figure>"
    )


def _row(one: Verdict, y: float, across: Callable[[float], float]) -> str:
    low, high = one.interval or (0.0, 0.0)
    colour = COLOURS[one.verdict]
    label = f"{one.arm} − {one.versus}"
    short = label if len(label) <= 28 else f"{label[:27]}…"
    drawn = "none" if one.verdict == "broken" else colour
    return (
        f"<g><title>{escape(one.reason)}</title>"
        f'<text x="{LABELS:.0f}" y="{y + 4:.1f}" text-anchor="end">{escape(short)}</text>'
        f'<path d="M{across(low):.1f} {y:.1f}H{across(high):.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="{SHAPES[one.verdict]}" transform="translate({across(one.delta or 0.0):.1f} {y:.1f})" '
        f'fill="{drawn}" stroke="{colour}"/></g>'
    )
