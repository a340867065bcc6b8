"""Why the scores changed: each difference taken apart by cause, and how responses end and read.

A strict difference and the lenient one beside it; the verdict stays that of the strict scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from assay_schemas.differences import enumerated
from assay_schemas.experiments import CONTROL, PLACEBO

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.diagnosis.causes import CAUSES, MEANINGS, Cause, refuses
from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.decomposition import Decomposition
from assay_reporter.sections.findings import Findings

LEADING_SHARE = 0.5
INFLATION = 1.5
CUT_SHARE = UNREAD_SHARE = 0.1
REFUSED_SHARE = 0.05
MOST_TEXTS = 500
FEW_FLIPS = 5


def why(findings: Findings) -> Section | None:
    """Nothing where no benchmark has generated responses."""
    blocks: list[AnyBlock] = []
    found: list[str] = []
    for benchmark in findings.evidence.plan.benchmarks:
        parts = {arm: one for (arm, name), one in findings.examined.decompositions.items() if name == benchmark.id}
        if parts:
            odd, tables = _on_a_benchmark(findings, benchmark.id, parts)
            found += odd
            blocks += tables
    if not blocks:
        return None
    legend = "; ".join(f"{cause}: {meaning}" for cause, meaning in MEANINGS.items())
    blocks = [*(Paragraph(text=one, tone="warning") for one in found), *blocks, Paragraph(text=f"{legend}.")]
    return Section(title="Why the scores changed", anchor="why", blocks=blocks, findings=found)


def _on_a_benchmark(
    findings: Findings, benchmark: str, parts: dict[str, Decomposition]
) -> tuple[list[str], list[TableBlock]]:
    """What stands out, and the tables: against control, against the first arm, and how responses end."""
    causes = {arm: _leading_cause(findings, arm, benchmark, CONTROL, one) for arm, one in parts.items()}
    odd = [_said(arm, benchmark, CONTROL, parts[arm], cause) for arm, cause in causes.items() if cause]
    tables = [_causes(benchmark, CONTROL, parts)]
    examined = findings.examined
    if first := _beside_first(findings, benchmark, list(parts)):
        tables.append(_causes(benchmark, examined.first_arm, first))
    for arm, one in first.items():
        cause = _leading_cause(findings, arm, benchmark, examined.first_arm, one)
        # What is said against control already is not said again.
        if cause not in (None, "content", causes[arm]):
            odd.append(_said(arm, benchmark, examined.first_arm, one, cause))
    endings = {arm: Endings(columns) for arm, columns in examined.columns[benchmark].items() if columns[0].generated}
    return [*odd, *_odd_endings(benchmark, endings)], [*tables, _endings(benchmark, endings)]


def _beside_first(findings: Findings, benchmark: str, arms: list[str]) -> dict[str, Decomposition]:
    """Arms that do better or worse than the first: control may never have had what one of the two has lost."""
    examined = findings.examined
    found = {}
    for arm in arms:
        verdict = findings.verdict(arm, benchmark, examined.first_arm)
        parts = None
        if arm != PLACEBO and verdict is not None and verdict.verdict in ("better", "worse"):
            parts = examined.decomposed(arm, examined.first_arm, benchmark)
        if parts is not None:
            found[arm] = parts
    return found


def _leading_cause(findings: Findings, arm: str, benchmark: str, versus: str, parts: Decomposition) -> Cause | None:
    """What most of a loss, or of a gain that is only one of form, comes from."""
    verdict = findings.verdict(arm, benchmark, versus)
    if verdict is None or verdict.verdict not in ("better", "worse", "broken") or not parts.strict:
        return None
    cause = max(CAUSES, key=lambda one: parts.part(one) * np.sign(parts.strict))
    if parts.part(cause) / parts.strict < LEADING_SHARE or (parts.strict > 0 and cause == "content"):
        return None
    return cause


def _said(arm: str, benchmark: str, versus: str, parts: Decomposition, cause: Cause) -> str:
    part = parts.part(cause)
    moved = "lost" if parts.strict < 0 else "won"
    size = f"{100 * abs(parts.strict):.1f} points {moved} against {versus}"
    some = f"{100 * abs(part):.1f} of the " if abs(part) < abs(parts.strict) else "the "
    said = (
        f"{arm} on {benchmark}: {some}{size} are {cause}: "
        f"{MEANINGS[cause] if moved == 'lost' else f'in {versus}, {MEANINGS[cause]}'}."
    )
    if cause == "format":
        said += f" Read leniently, the difference is {_points(parts.lenient)} points: form, not content."
    if parts.flips < FEW_FLIPS:
        said += f" It is read from {'one response' if parts.flips == 1 else f'{parts.flips} responses'} alone."
    return said


def _causes(benchmark: str, versus: str, parts: dict[str, Decomposition]) -> TableBlock:
    moved = {cause for cause in CAUSES for one in parts.values() if _points(one.part(cause)) != "0"}
    causes = [cause for cause in CAUSES if cause == "content" or cause in moved]
    columns = ["arm", "difference", *causes, "read leniently"]
    rows = [
        [arm, _points(one.strict), *(_points(one.part(cause)) for cause in causes), _points(one.lenient)]
        for arm, one in parts.items()
    ]
    sampled = [
        f"{one.looked_at:,} of {one.flips:,} of {arm}" for arm, one in parts.items() if one.looked_at < one.flips
    ]
    caption = f"{benchmark}: points won or lost against {versus}, by why the wrong response is wrong."
    if len(causes) < len(CAUSES):
        caption += f" None by {', '.join(cause for cause in CAUSES if cause not in causes)}."
    if sampled:
        caption += f" Of the responses that changed, an even part was read: {', '.join(sampled)}."
    return TableBlock(columns=columns, rows=rows, numeric=list(range(1, len(columns))), caption=caption)


class Endings:
    """How an arm's responses on a benchmark end and read; shares of 1, lengths in tokens (words where unknown)."""

    def __init__(self, columns: list[Column]) -> None:
        self.length = float(np.mean([_length(column) for column in columns]))
        self.cut = float(np.mean([column.share_of("finish_reason", "length") for column in columns]))
        read = [share for column in columns if (share := column.read_share()) is not None]
        self.read = sum(read) / len(read) if read else None
        each = MOST_TEXTS // len(columns)
        texts = [text for column in columns for text in column.texts("response", each)]
        self.refused = sum(map(refuses, texts)) / max(1, len(texts))


def _length(column: Column) -> float:
    tokens = column.numbers("tokens")
    if tokens.any():
        return float(np.nanmean(tokens))
    words = [len(text.split()) for text in column.texts("response")]
    return float(np.mean(words)) if words else 0.0


def _endings(benchmark: str, endings: dict[str, Endings]) -> TableBlock:
    rows = [
        [arm, f"{one.length:.0f}", _share(one.cut), "–" if one.read is None else _share(one.read), _share(one.refused)]
        for arm, one in endings.items()
    ]
    columns = ["arm", "tokens a response", "cut at the limit", "answer found", "refused"]
    return TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4], caption=f"{benchmark}: how responses end.")


def _odd_endings(benchmark: str, endings: dict[str, Endings]) -> Iterator[str]:
    """Arms whose responses have become longer, unreadable to the scorer, cut or refused, against control."""
    control = endings.get(CONTROL)
    if control is None:
        return
    arms = {arm: one for arm, one in endings.items() if arm != CONTROL}
    base = control.length
    longer = {arm: one.length / base for arm, one in arms.items() if one.length > INFLATION * base > 0}
    if longer:
        times = _range(longer.values(), lambda ratio: f"{ratio:.1f}")
        of = f"{times} times as long as control's (length inflation)"
        yield f"{enumerated(longer)} on {benchmark}: responses are {of}."
    fewest = (control.read or 0.0) - UNREAD_SHARE
    unread = {arm: one.read for arm, one in arms.items() if one.read is not None and one.read < fewest}
    if unread:
        of = f"{_range(unread.values(), _share)} of responses (control: {_share(control.read or 0.0)})"
        yield f"{enumerated(unread)} on {benchmark}: the scorer finds an answer in {of}."
    for what, most, words in (("cut", CUT_SHARE, "are cut at the limit"), ("refused", REFUSED_SHARE, "refuse")):
        shares = {arm: getattr(one, what) for arm, one in arms.items()}
        told = {arm: share for arm, share in shares.items() if share > most + getattr(control, what)}
        if told:
            of = f"{_range(told.values(), _share)} of responses {words} (control: {_share(getattr(control, what))})"
            yield f"{enumerated(told)} on {benchmark}: {of}."


def _range(values: Iterable[float], words: Callable[[float], str]) -> str:
    """One value in words, or the smallest and the largest: `74 to 89 %`."""
    found = sorted(values)
    low, high = words(found[0]), words(found[-1])
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _points(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return "0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
