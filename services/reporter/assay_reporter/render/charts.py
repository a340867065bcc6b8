"""Charts as inline SVG, drawn by Vega-Lite without a browser or network.

Greys that read on light and dark paper; a shape as well as a colour tells the verdict.
"""

from __future__ import annotations

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
WIDTH = 560
ROW_HEIGHT = 26


def forest_svg(block: ForestPlot) -> str:
    """Differences with their intervals around zero; a band marks the smallest effect of interest."""
    import altair as alt

    alt.data_transformers.disable_max_rows()
    data = alt.Data(values=[row.model_dump() for row in block.rows])
    order = [row.label for row in block.rows]
    words = list(COLOURS)
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=words, range=list(COLOURS.values())), legend=None)
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=words, range=[SHAPES[word] for word in words]), legend=None)
    layers: list[Any] = []
    if block.smallest_effect:
        band = alt.Data(values=[{"low": -block.smallest_effect, "high": block.smallest_effect}])
        layers.append(alt.Chart(band).mark_rect(color=INK, opacity=0.15).encode(x="low:Q", x2="high:Q"))
    layers += [
        alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="zero:Q"),
        alt.Chart(data)
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", title=block.axis), x2="high:Q", y=y, color=colour),
        alt.Chart(data).mark_point(filled=True, size=90, opacity=1).encode(x="value:Q", y=y, color=colour, shape=shape),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * max(len(order), 2))
    return _svg(chart)


def curves_svg(block: CurvePlot) -> str:
    """One line for each run, coloured by its group."""
    import altair as alt

    alt.data_transformers.disable_max_rows()
    points = [
        {"x": x, "y": y, "run": curve.label, "group": curve.group}
        for curve in block.curves
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(strokeWidth=1.3, opacity=0.85)
        .encode(
            x=alt.X("x:Q", title=block.x_title),
            y=alt.Y("y:Q", title=block.y_title, scale=alt.Scale(zero=False)),
            color=alt.Color("group:N", title=None),
            detail="run:N",
        )
        .properties(width=WIDTH, height=200)
    )
    return _svg(chart)


def _svg(chart: Any) -> str:
    import vl_convert

    themed = (
        chart.configure(background="transparent")
        .configure_axis(labelColor=INK, titleColor=INK, gridOpacity=0.2, domainColor=INK, tickColor=INK)
        .configure_legend(labelColor=INK, titleColor=INK)
        .configure_view(stroke=None)
    )
    # Our own charts, whose looks the tests know, are not checked against Vega-Lite's schema: half the time of a report.
    return str(vl_convert.vegalite_to_svg(themed.to_dict(validate=False)))
