"""The data sheet of every arm: rows, lengths, repeats, languages, sources; what is odd, and how arms differ.

Shows the rows as they were snapshotted; interventions change them only when they are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from assay_schemas.differences import enumerated

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
from assay_reporter.interventions import same_runs
from assay_reporter.sections.findings import Findings

MOST_SHOWN = 5


@dataclass(frozen=True)
class Snapshot:
    """One snapshot and the arms that have it; `untouched` are trained on its rows as they are."""

    arms: list[str]
    untouched: list[str]
    rows: TrainingRows
    words: set[str]
    sheet: Sheet

    @property
    def label(self) -> str:
        return enumerated(self.arms)

    @property
    def named(self) -> str:
        """Whom a finding on the rows is about."""
        return enumerated(self.untouched) or f"{self.label}, before its rows were changed on purpose"


def data(findings: Findings) -> Section | None:
    """Nothing where no rows could be read."""
    snapshots = _snapshots(findings)
    if not snapshots:
        return None
    found = _same_runs(findings)
    found += [said for one in snapshots for said in oddities(one.named, one.sheet, _sheets_of_others(one, snapshots))]
    found += [said for one in snapshots if (said := _off_topic(one, snapshots, findings.examined.benchmark_words))]
    found += _contamination(findings)
    blocks: list[AnyBlock] = [Paragraph(text=one, tone="warning") for one in found]
    blocks += [_sheets(snapshots), _oddities(snapshots)]
    blocks += [table for table in (_mixes(snapshots), _overlaps(snapshots), _benchmarks(findings)) if table]
    if any(len(one.rows.rows) < one.rows.total for one in snapshots):
        sampled = ", ".join(f"{len(one.rows.rows):,} of {one.rows.total:,} of {one.label}" for one in snapshots)
        blocks.append(Paragraph(text=f"Of large snapshots a sample was read: rows {sampled}."))
    return Section(title="Data sheet", anchor="data", blocks=blocks, findings=found)


def _snapshots(findings: Findings) -> list[Snapshot]:
    """In the order of the arms; those of one snapshot are one line of every table, and one finding."""
    examined = findings.examined
    arms: dict[str, list[str]] = {}
    for arm in examined.rows_by_arm:
        arms.setdefault(examined.digests[arm], []).append(arm)
    changed = {arm.name for arm in findings.evidence.plan.spec.arms if arm.interventions}
    found = []
    for digest, names in arms.items():
        rows = examined.rows_by_arm[names[0]]
        untouched = [name for name in names if name not in changed]
        sheet = sheet_of(rows.rows, rows.total, rows.plain)
        found.append(Snapshot(names, untouched, rows, examined.vocabularies[digest], sheet))
    return found


def _sheets_of_others(own: Snapshot, snapshots: Sequence[Snapshot]) -> dict[str, Sheet]:
    return {one.label: one.sheet for one in snapshots if one is not own}


def _same_runs(findings: Findings) -> list[str]:
    """Arms that are one under several names: whoever compares them compares nothing."""
    plan = findings.evidence.plan
    trained = [arm.name for arm in plan.arms if arm.role == "arm" and arm.dataset is not None]
    return [
        f"{arm} and {other} are the same runs: the same data, training and seeds."
        for arm, other in combinations(trained, 2)
        if same_runs(plan, arm, other)
    ]


def _sheets(snapshots: Sequence[Snapshot]) -> TableBlock:
    columns = ["arm", "rows", "prompt words", "answer words", "longest answer", "languages of answers"]
    rows = [
        [label, f"{one.total:,}", f"{one.prompt_words:.0f}", f"{one.answer_words:.0f}",
         f"{one.longest_answer_words:,}", _mix(one.languages)]
        for label, one in _labelled(snapshots)
    ]  # fmt: skip
    caption = "Prompt words: mean; answer words: median. Languages, where script and common words tell, are guessed."
    if changed := [arm for one in snapshots for arm in one.arms if arm not in one.untouched]:
        caption += f" Rows of {enumerated(changed)} are shown as they were before they were changed on purpose."
    return TableBlock(columns=columns, rows=rows, numeric=[1, 2, 3, 4], caption=caption)


def _labelled(snapshots: Sequence[Snapshot]) -> list[tuple[str, Sheet]]:
    return [(one.label, one.sheet) for one in snapshots]


def _oddities(snapshots: Sequence[Snapshot]) -> TableBlock:
    columns = ["arm", "duplicate rows", "repeated answers", "empty", "no closing mark", "repeat the prompt", "wrong"]
    rows = [
        [label, percent(one.duplicates), percent(one.repeated_answers), percent(one.empty_answers),
         percent(one.unended_answers), percent(one.leaked_prompts),
         "–" if one.wrong_answers is None else percent(one.wrong_answers)]
        for label, one in _labelled(snapshots)
    ]  # fmt: skip
    caption = "Shares of rows. Wrong: the last number of the completion is not the row's own `answer`."
    return TableBlock(columns=columns, rows=rows, numeric=list(range(1, 7)), caption=caption)


def _mixes(snapshots: Sequence[Snapshot]) -> TableBlock | None:
    rows = [[label, column, _mix(mix)] for label, one in _labelled(snapshots) for column, mix in one.mixes.items()]
    return TableBlock(columns=["arm", "column", "mix"], rows=rows) if rows else None


def _mix(shares: Mapping[str, float]) -> str:
    shown = [f"{name} {percent(share)}" for name, share in list(shares.items())[:MOST_SHOWN]]
    more = len(shares) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "–"


def _overlaps(snapshots: Sequence[Snapshot]) -> TableBlock | None:
    keys = {one.label: Keys.of(one.rows.rows, one.rows.plain) for one in snapshots}
    listed = []
    for arm, other in combinations(keys, 2):
        found = overlap(keys[arm], keys[other])
        shares = [found.same, found.other_answer, found.reversed, 1 - found.same - found.other_answer]
        listed.append([f"{arm} – {other}", *map(percent, shares)])
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


def _off_topic(own: Snapshot, snapshots: Sequence[Snapshot], benchmark_words: set[str]) -> str:
    """Whether arms have rows about other things than benchmarks and the other arms."""
    others = [one.words for one in snapshots if one is not own]
    share = off_topic_share(own.rows.words, [benchmark_words | words for words in others])
    if share <= OFF_TOPIC:
        return ""
    return (
        f"{own.named}: {percent(share)} of rows share hardly a word with the benchmarks or the other arms (off topic)."
    )


def _contamination(findings: Findings) -> Iterator[str]:
    """Arms whose rows hold benchmark items word for word; those that hold the same ones are told of together."""
    arms: dict[tuple[str, frozenset[str]], list[str]] = {}
    for (arm, benchmark), items in findings.examined.contaminated.items():
        arms.setdefault((benchmark, items), []).append(arm)
    for (benchmark, items), some in arms.items():
        count = findings.examined.item_count(benchmark)
        if len(items) > NOTABLE * count:
            above = f", above the limit of {percent(LIMIT)}" if len(items) > LIMIT * count else ""
            there = f"{len(items):,} of {count:,} items stand in {'its' if len(some) == 1 else 'their'} rows"
            yield f"{enumerated(some)} on {benchmark}: {there} (contamination{above})."
