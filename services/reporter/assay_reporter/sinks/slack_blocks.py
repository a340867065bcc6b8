"""A report as Slack's Block Kit: pure, within Slack's limits, every text inert.

Clamped: 150 characters a header, 3,000 a section, 50 blocks, 12,000 in all; what is cut is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from assay_schemas.reports import ReportDocument, Verdict
from assay_schemas.visible import unturned

from assay_reporter.render.words import MARKS, about, cell_text, facts, mark, table_cells

HEADER, SECTION, BLOCKS, TOTAL, FALLBACK = 150, 3000, 50, 12_000, 1000
SHOWN_BENCHMARKS = 4
CELL = 28
Block = dict[str, Any]


def whole(report: ReportDocument, url: str) -> dict[str, Any]:
    """Everything in one message."""
    return _message(report, [*_head(report, url), *_rest(report)])


def headline(report: ReportDocument, url: str) -> dict[str, Any]:
    """The answer, its table and the way to the report."""
    return _message(report, _head(report, url))


def details(report: ReportDocument) -> dict[str, Any]:
    """What belongs below it: every verdict in a sentence, and what to try next."""
    return _message(report, list(_rest(report)) or [_section("No verdict; see the report.")])


def escaped(text: str) -> str:
    """Text in which nothing is a link, a mention, a command or the end of a code block to Slack, or turns the rest."""
    return unturned(text).replace("```", "'''").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(report: ReportDocument, blocks: Iterable[Block]) -> dict[str, Any]:
    """`text` is what notifications and screen readers get."""
    fallback = _clamped(escaped(f"{report.name}: {report.sentence}"), FALLBACK)
    return {"text": fallback, "blocks": _fitting(list(blocks)), "unfurl_links": False, "unfurl_media": False}


def _fitting(blocks: list[Block]) -> list[Block]:
    """As many blocks as Slack takes, and a line that says so where some are left out."""
    kept: list[Block] = []
    left = TOTAL
    for place, block in enumerate(blocks):
        left -= len(str(block))
        if left < 0 or place >= BLOCKS - 1:
            return [*kept, _context(f"{len(blocks) - place} more parts are in the report.")]
        kept.append(block)
    return kept


def _head(report: ReportDocument, url: str) -> list[Block]:
    blocks = [_header(report.name), _section(f"*{_clamped(escaped(report.sentence), SECTION - 2)}*")]
    if report.question:
        blocks.append(_context(escaped(report.question)))
    blocks.append(_table(report))
    blocks += [_section(escaped(answer)) for answer in report.answers]
    blocks.append(_context(escaped(facts(report))))
    if url.startswith(("http://", "https://")):
        button = {"type": "button", "text": {"type": "plain_text", "text": "Open the report"}, "url": url[:SECTION]}
        blocks.append({"type": "actions", "elements": [button]})
    return blocks


def _rest(report: ReportDocument) -> Iterable[Block]:
    if report.findings:
        found = [one.text for one in report.findings]
        yield _section("*What stands out*\n" + "\n".join(f"• {escaped(text)}" for text in found))
    for verdict in _worst_first(report.verdicts):
        yield _section(f"{MARKS[verdict.verdict]} — {escaped(f'{about(verdict)}: {verdict.reason}')}")
    if report.missing:
        yield _section("*Missing*\n" + "\n".join(f"• {escaped(line)}" for line in report.missing))
    if report.next_steps:
        yield _section("*What to try next*\n" + "\n".join(f"• {escaped(step)}" for step in report.next_steps))


def _worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    order = {"broken": 0, "worse": 1, "better": 2, "underpowered": 3, "tied": 4}
    told = [one for one in verdicts if one.family == "primary"]
    return sorted(told, key=lambda one: order[one.verdict])


def _table(report: ReportDocument) -> Block:
    """Arms by benchmarks in fixed width; lines that do not fit are counted."""
    cells, shown = table_cells(report), report.benchmarks[:SHOWN_BENCHMARKS]
    lines = [["arm", *shown]]
    for arm in report.arms:
        row = [cells.get((arm, name)) for name in shown]
        lines.append([arm, *(f"{cell_text(cell, seeds=False)} {mark(cell)}".strip() for cell in row)])
    lines = [[_clamped(text, CELL) for text in line] for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = []
    if len(report.benchmarks) > len(shown):
        notes.append(f"{len(report.benchmarks) - len(shown)} more benchmarks are in the report")
    fitting = _lines_within(texts, SECTION - 200)
    if len(fitting) < len(texts):
        notes.append(f"{len(texts) - len(fitting)} more arms are in the report")
    note = f"\n_{'; '.join(notes)}_" if notes else ""
    return _section(f"```{chr(10).join(fitting)}```{note}")


def _lines_within(lines: Sequence[str], most: int) -> list[str]:
    kept, used = [], 0
    for line in lines:
        safe = escaped(line)
        used += len(safe) + 1
        if used > most:
            break
        kept.append(safe)
    return kept


def _header(text: str) -> Block:
    plain = " ".join(unturned(text).split()) or "Assay"
    return {"type": "header", "text": {"type": "plain_text", "text": _clamped(plain, HEADER), "emoji": False}}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _clamped(text, SECTION)}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _clamped(text, SECTION)}]}


def _clamped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
