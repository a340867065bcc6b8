"""The data sheet of every arm: rows, lengths, repeats, languages, sources; what is odd, and how arms differ.

Shows the rows as they were snapshotted; interventions change them only when they are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.diagnosis.contamination import LIMIT, NOTABLE
from assay_reporter.diagnosis.differences import (
    OFF_TOPIC,
    Keys,
    oddities,
    off_topic_share,
    overlap,
    percent,
)
from assay_reporter.diagnosis.sheet import Sheet, sheet_of
from assay_reporter.evidence import TrainingRows
from assay_reporter.sections.findings import Findings

MOST_SHOWN = 5
REVERSED = OTHER_ANSWERS = 0.01


def data(findings: Findings) -> Section | None:
    """Nothing where no rows could be read."""
    rows = findings.examined.rows_by_arm
    if not rows:
        return None
    sheets = {arm: sheet_of(one.rows, one.total, one.plain) for arm, one in rows.items()}
    found = [said for arm in sheets for said in oddities(arm, sheets[arm], _others(findings, arm, sheets))]
    found += [said for arm in rows if (said := _off_topic(findings, arm, rows))]
    found += _contamination(findings)
    blocks: list[AnyBlock] = [Paragraph(text=one, tone="warning") for one in found]
    blocks += [_sheets(sheets), _oddities(sheets)]
    blocks += [table for table in (_mixes(sheets), _overlaps(rows), _benchmarks(findings)) if table]
    if any(len(one.rows) < one.total for one in rows.values()):
        sampled = ", ".join(f"{len(one.rows):,} of {one.total:,} of {arm}" for arm, one in rows.items())
        blocks.append(Paragraph(text=f"Of large snapshots a sample was read: rows {sampled}."))
    return Section(title="Data sheet", anchor="data", blocks=blocks, findings=found)


def _others(findings: Findings, arm: str, sheets: Mapping[str, Sheet]) -> dict[str, Sheet]:
    """The sheets of arms with other data."""
    own = findings.examined.digests[arm]
    return {name: one for name, one in sheets.items() if findings.examined.digests[name] != own}


def _sheets(sheets: Mapping[str, Sheet]) -> TableBlock:
    columns = ["arm", "rows", "prompt words", "answer words", "longest answer", "languages of answers"]
    rows = [
        [arm, f"{one.total:,}", f"{one.prompt_words:.0f}", f"{one.answer_words:.0f}",
         f"{one.longest_answer_words:,}", _mix(one.languages)]
        for arm, one in sheets.items()
    ]  # fmt: skip
    caption = "Prompt words: mean; answer words: median. Languages are guessed from script and common words."
    return TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4], caption=caption)


def _oddities(sheets: Mapping[str, Sheet]) -> TableBlock:
    columns = ["arm", "duplicate rows", "repeated answers", "empty", "no closing mark", "repeat the prompt", "wrong"]
    rows = [
        [arm, percent(one.duplicates), percent(one.repeated_answers), percent(one.empty_answers),
         percent(one.unended_answers), percent(one.leaked_prompts),
         "–" if one.wrong_answers is None else percent(one.wrong_answers)]
        for arm, one in sheets.items()
    ]  # fmt: skip
    caption = "Shares of rows. Wrong: the last number of the completion is not the row's own `answer`."
    return TableBlock(columns=columns, rows=rows, numeric=list(range(1, 7)), caption=caption)


def _mixes(sheets: Mapping[str, Sheet]) -> TableBlock | None:
    rows = [[arm, column, _mix(mix)] for arm, one in sheets.items() for column, mix in one.mixes.items()]
    return TableBlock(columns=["arm", "column", "mix"], rows=rows) if rows else None


def _mix(shares: Mapping[str, float]) -> str:
    shown = [f"{name} {percent(share)}" for name, share in list(shares.items())[:MOST_SHOWN]]
    more = len(shares) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "–"


def _overlaps(rows: Mapping[str, TrainingRows]) -> TableBlock | None:
    keys = {arm: Keys.of(one.rows, one.plain) for arm, one in rows.items()}
    listed = []
    for arm, other in combinations(rows, 2):
        found = overlap(keys[arm], keys[other])
        shares = [found.same, found.other_answer, found.reversed, 1 - found.same - found.other_answer]
        listed.append([f"{arm} and {other}", *map(percent, shares)])
    columns = [
        "arms",
        "same prompt and answer",
        "same prompt, other answer",
        "pairs the other way round",
        "only in the first",
    ]
    caption = "Shares of the first arm's rows."
    table = TableBlock.of_details("Every pair of arms", listed, columns=columns, numeric=[1, 2, 3, 4], caption=caption)
    return table if listed else None


def _benchmarks(findings: Findings) -> TableBlock | None:
    """How many items of each benchmark stand in each arm's rows."""
    examined = findings.examined
    rows = []
    for benchmark in findings.evidence.plan.benchmarks:
        for arm in examined.rows_by_arm:
            stated = examined.contamination(arm, benchmark.id)
            shared = "–" if stated is None else f"{stated.contaminated:,}"
            short = "–" if stated is None else f"{stated.unknown:,}"
            most = len(examined.contaminated.get((arm, benchmark.id), ()))
            rows.append([benchmark.id, arm, f"{examined.item_count(benchmark.id):,}", f"{most:,}", shared, short])
    columns = ["benchmark", "arm", "items", "in its rows", "share 13 words in a row", "too short to tell"]
    caption = (
        "In its rows: items that stand there word for word, or by most of their runs of 13 words. Items made from one "
        "template share runs of words without being the same item."
    )
    table = TableBlock.of_details(
        "Items that stand in training rows", rows, columns=columns, numeric=[2, 3, 4, 5], caption=caption
    )
    return table if rows else None


def _off_topic(findings: Findings, arm: str, rows: Mapping[str, TrainingRows]) -> str:
    """Whether an arm has rows about other things than benchmarks and the other arms."""
    examined = findings.examined
    others = [words for digest, words in examined.vocabularies.items() if digest != examined.digests[arm]]
    share = off_topic_share(rows[arm].words, [examined.benchmark_words | words for words in others])
    if share <= OFF_TOPIC:
        return ""
    return f"{arm}: {percent(share)} of rows share hardly a word with the benchmarks or the other arms (off topic)."


def _contamination(findings: Findings) -> Iterator[str]:
    """Arms whose rows hold benchmark items word for word."""
    for (arm, benchmark), items in findings.examined.contaminated.items():
        count = findings.examined.item_count(benchmark)
        if len(items) > NOTABLE * count:
            above = f", above the limit of {percent(LIMIT)}" if len(items) > LIMIT * count else ""
            yield (f"{arm} on {benchmark}: {len(items):,} of {count:,} items stand in its rows (contamination{above}).")
