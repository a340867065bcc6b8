"""The report as Markdown: reads well as plain text, and renders on code hosts and in chat.

Model text goes into indented code, where nothing in it is markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from assay_schemas.differences import against_control
from assay_schemas.reports import ReportDocument
from assay_schemas.visible import unturned
from pydantic import TypeAdapter

from assay_reporter.blocks import Bullets, CurvePlot, ForestPlot, Paragraph, Responses, Section, TableBlock
from assay_reporter.render.words import cell_text, direction, facts, mark, table_cells

LEGEND = (
    "Mean over seeds ± their standard deviation (number of seeds); then the difference from control and its 95 % "
    "interval, which verdicts rest on."
)
TAG = re.compile(r"<(?! )")
SECTIONS: TypeAdapter[list[Section]] = TypeAdapter(list[Section])


def render_markdown(report: ReportDocument) -> str:
    parts = [f"# {_inline(report.name)}", f"**{_inline(report.sentence)}**"]
    if report.question:
        parts.append(f"> {_inline(report.question)}")
    parts += [facts(report), _verdict_table(report), LEGEND, *map(_inline, report.answers)]
    if report.findings:
        parts.append("## What stands out\n\n" + _bullets([one.text for one in report.findings]))
    if report.next_steps:
        parts.append("## What to try next\n\n" + _bullets(report.next_steps))
    for section in SECTIONS.validate_python(report.sections):
        parts.append(f"## {_inline(section.title)}")
        parts += [RENDERERS[block.kind](block) for block in section.blocks]
    return unturned("\n\n".join(part for part in parts if part)) + "\n"


def _verdict_table(report: ReportDocument) -> str:
    cells, differences = table_cells(report), against_control(report)
    ways = {name: direction(report, name) for name in report.benchmarks}
    heads = ["arm", *(f"{name} ({way})" if way else name for name, way in ways.items())]
    rows = []
    for arm in report.arms:
        row = [arm]
        for name in report.benchmarks:
            cell = cells.get((arm, name))
            apart = differences.get((arm, name))
            row.append(" ".join(filter(None, (cell_text(cell), mark(cell), apart))))
        rows.append(row)
    return _table(heads, rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = [_inline(column) for column in columns]
    lines = [heads, ["---"] * len(columns), *([_inline(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {_inline(item)}" for item in items)


def _inline(text: str) -> str:
    """Text on one line in which pipes and angle brackets are only themselves; `p < 0.05` begins no tag and stays."""
    return TAG.sub("&lt;", " ".join(text.split()).replace("|", "\\|"))


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in (text or "(empty)").splitlines())


def _paragraph(block: Paragraph) -> str:
    if "\n" in block.text:
        first, _, rest = block.text.partition("\n")
        return f"{_inline(first)}\n\n{_code(rest)}"
    return ("**Note:** " if block.tone in ("bad", "warning") else "") + _inline(block.text)


def _table_block(block: TableBlock) -> str:
    title = f"**{_inline(block.folded)}**\n\n" if block.folded else ""
    return title + _table(block.columns, block.rows) + (f"\n\n{_inline(block.caption)}" if block.caption else "")


def _forest(block: ForestPlot) -> str:
    rows = [
        [row.label, _signed(row.value), f"{_signed(row.low)} to {_signed(row.high)}", row.verdict] for row in block.rows
    ]
    return f"**{_inline(block.title)}** — {_inline(block.axis)}\n\n" + _table(
        ["comparison", "difference", "95 % interval", "verdict"], rows
    )


def _signed(value: float) -> str:
    """Three digits, as everywhere: `+49.0`."""
    return f"{value:+#.3g}".rstrip(".").replace("-", "−")


def _curves(block: CurvePlot) -> str:
    rows = [[curve.label, f"{curve.y[0]:.4g}", f"{curve.y[-1]:.4g}"] for curve in block.curves]
    unit = "" if block.y_title == block.title.lower() else f" — {_inline(block.y_title)}"
    return f"**{_inline(block.title)}**{unit}\n\n" + _table(["run", "first", "last"], rows)


def _responses(block: Responses) -> str:
    parts = []
    for item in block.items:
        parts.append(
            f"**{_inline(item.id)}** {_inline(item.note)} (target: {_inline(item.target)})\n\n{_code(item.prompt)}"
        )
        parts += [f"Image: `{_inline(key)}` in the object store." for key in item.images]
        parts += [f"{_inline(one.who)}: {one.score}\n\n{_code(one.text)}" for one in item.answers]
        parts += [f"Nearest training row of {_inline(one.arm)}:\n\n{_code(one.text)}" for one in item.nearest]
    return "\n\n".join([*parts, f"{len(block.items)} of {block.shown_of} items shown."])


RENDERERS: dict[str, Callable[..., str]] = {
    "paragraph": _paragraph,
    "bullets": lambda block: _bullets(block.items) if isinstance(block, Bullets) else "",
    "table": _table_block,
    "forest": _forest,
    "curves": _curves,
    "responses": _responses,
}
