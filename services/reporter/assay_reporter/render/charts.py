"""Charts as inline SVG, drawn by Vega-Lite without a browser or network; never a script.

Greys that read on light and dark paper; a shape as well as a colour tells the verdict.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from assay_reporter.blocks import CurvePlot, ForestPlot

INK = "#808080"
COLOURS = {
    "better": "#2e8b57",
    "worse": "#d1495b",
    "tied": "#2a9db0",
    "underpowered": "#c58b00",
    "broken": "#8b2fc9",
}
SHAPES = {
    "better": "triangle-up",
    "worse": "triangle-down",
    "tied": "square",
    "underpowered": "circle",
    "broken": "cross",
}
LINES = ("#3b7dd8", "#d1495b", "#2e8b57", "#b8860b", "#8b5fd0", "#0e8f9e", "#c4508f", "#7a7f87", "#a0622d", "#5f8f1f")
"""Colours of arms: each reads on light and on dark paper; dashes tell apart what comes round again."""
WIDTH = 420
LEGEND_COLUMNS = 4
ROW_HEIGHT = 26
CURVE_HEIGHT = 200
PIXELS = 2.0
MOST_POINTS = 2000
"""Points drawn in one chart: beyond that lines of 420 pixels look the same, and take seconds."""
KEPT = 24
"""Charts that are kept: a page, an e-mail and a report made again show the same ones, and each takes 0.2 s to draw."""
AXIS = {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK}
CONFIG = {
    "background": "transparent",
    "axis": {**AXIS, "gridOpacity": 0.2, "labelFontSize": 13, "titleFontSize": 13},
    "legend": {"labelColor": INK, "titleColor": INK, "orient": "bottom", "labelFontSize": 13},
    "view": {"stroke": None},
}
Spec = dict[str, Any]


def forest_svg(block: ForestPlot) -> str:
    """Differences with their intervals around zero; a band marks the smallest effect of interest."""
    return svg(forest_spec(block))


def forest_spec(block: ForestPlot) -> Spec:
    """The chart as Vega-Lite."""
    order = [row.label for row in block.rows]
    axis = {"labelLimit": 220, "ticks": False, "domain": False}
    y = {"field": "label", "type": "nominal", "sort": order, "title": None, "axis": axis}
    rows = {"values": [row.model_dump() for row in block.rows]}
    colour, shape = _by_verdict(list(COLOURS.values())), _by_verdict(list(SHAPES.values()))
    low, value = _number("low", title=block.axis), _number("value", title=block.axis)
    zero: Spec = {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
        "encoding": {"x": _number("zero")},
    }
    rules: Spec = {
        "data": rows,
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": low, "x2": {"field": "high"}, "y": y, "color": colour},
    }
    points: Spec = {
        "data": rows,
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {"x": value, "y": y, "color": colour, "shape": shape},
    }
    layers = [zero, rules, points]
    if block.smallest_effect:
        layers.insert(0, _band(block.smallest_effect))
    return {"layer": layers, "width": WIDTH, "height": ROW_HEIGHT * max(len(order), 2)}


def _band(effect: float) -> Spec:
    return {
        "data": {"values": [{"low": -effect, "high": effect}]},
        "mark": {"type": "rect", "color": INK, "opacity": 0.15},
        "encoding": {"x": _number("low"), "x2": {"field": "high"}},
    }


def _by_verdict(looks: list[str]) -> Spec:
    return {"field": "verdict", "type": "nominal", "scale": {"domain": list(COLOURS), "range": looks}, "legend": None}


def _number(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", **more}


def curves_svg(block: CurvePlot) -> str:
    """One line for each run, its colour and dashes those of its group."""
    return svg(curves_spec(block))


def curves_spec(block: CurvePlot) -> Spec:
    """The chart as Vega-Lite; of very many points an even part of each line."""
    every = -(-sum(len(curve.x) for curve in block.curves) // MOST_POINTS)
    points = [
        {"x": x, "y": y, "run": curve.label, "group": curve.group}
        for curve in block.curves
        for x, y in list(zip(curve.x, curve.y, strict=True))[:: max(1, every)]
    ]
    groups = list(dict.fromkeys(curve.group for curve in block.curves))
    colours = {"domain": groups, "range": [LINES[place % len(LINES)] for place in range(len(groups))]}
    legend = {"columns": LEGEND_COLUMNS}
    return {
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.9},
        "encoding": {
            "x": _number("x", title=block.x_title, axis={"tickMinStep": 1, "labelOverlap": True}),
            "y": _number("y", title=block.y_title, scale={"zero": False}),
            "color": {"field": "group", "type": "nominal", "title": None, "scale": colours, "legend": legend},
            "strokeDash": {"field": "group", "type": "nominal", "title": None, "scale": {"domain": groups}},
            "detail": {"field": "run", "type": "nominal"},
        },
        "width": WIDTH,
        "height": CURVE_HEIGHT,
    }


def svg(spec: Spec) -> str:
    """The drawn chart. The specification is ours and goes to Vega-Lite as it is: checking it against its schema
    and building it from objects took half the time of a report."""
    return _svg(json.dumps({**spec, "config": CONFIG}))


def png(spec: Spec) -> bytes:
    """The chart as a picture on white."""
    return _png(json.dumps({**spec, "config": {**CONFIG, "background": "white"}}))


@lru_cache(maxsize=KEPT)
def _svg(spec: str) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec))


@lru_cache(maxsize=KEPT)
def _png(spec: str) -> bytes:
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(spec, scale=PIXELS))
