"""Differences by kind of item: category, length of the prompt, and whether the item stands in the training rows.

Exploratory: plain differences with item-paired intervals, which leave training noise out and are not corrected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.results import PlannedBenchmark
from scipy import special

from assay_reporter.amounts import amount
from assay_reporter.blocks import AnyBlock, Paragraph, Section, TableBlock
from assay_reporter.diagnosis.strata import PARTS, categories, prompt_lengths
from assay_reporter.examination import Examination
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics import ArmScores, BenchmarkScores
from assay_reporter.statistics.scores import pair_scores

FEWEST_ITEMS = 10
MOST_STRATA = 12


def strata(findings: Findings) -> Section | None:
    """Nothing where no benchmark has two kinds of items with at least ten of each."""
    blocks: list[AnyBlock] = []
    examined = findings.examined
    for benchmark in findings.evidence.plan.benchmarks:
        rows = list(_rows(examined, benchmark))
        if rows:
            columns = ["by", "items that are", "items", "arm", "difference", "95 % interval"]
            what = "points" if examined.scores[benchmark.id].proportion else benchmark.primary.replace("_", " ")
            caption = f"{benchmark.id}: difference from control in {what}, by kind of item."
            blocks.append(TableBlock(columns=columns, rows=rows, numeric=[2, 4, 5], caption=caption))
    if not blocks:
        return None
    note = (
        "Exploratory: intervals are over items alone (paired t), without the noise of training, and not corrected for "
        "their number. A difference on one kind of item only is a question for the next experiment."
    )
    blocks.append(Paragraph(text=note))
    return Section(title="By kind of item", anchor="strata", blocks=blocks)


def _rows(examined: Examination, benchmark: PlannedBenchmark) -> Iterator[list[str]]:
    scores = examined.scores[benchmark.id]
    control = scores.arms.get(CONTROL)
    columns = examined.columns[benchmark.id].get(CONTROL, [])
    if control is None or not columns:
        return
    for kind, strata_of in (("category", categories(columns[0])), ("prompt length", prompt_lengths(columns[0]))):
        for name, arm in _trained(scores):
            yield from _of_kind(kind, strata_of, name, arm, control, scores)
    for name, arm in _trained(scores):
        dirty = examined.contaminated.get((name, benchmark.id), frozenset())
        split = {item: "in its rows" if item in dirty else "not in its rows" for item in control.items}
        yield from _of_kind("contamination", split, name, arm, control, scores)


def _trained(scores: BenchmarkScores) -> list[tuple[str, ArmScores]]:
    return [(name, arm) for name, arm in scores.arms.items() if name not in (CONTROL, PLACEBO)]


def _of_kind(
    kind: str, split: Mapping[str, str], name: str, arm: ArmScores, control: ArmScores, scores: BenchmarkScores
) -> Iterator[list[str]]:
    """One row a stratum, where at least two are large enough."""
    members: dict[str, list[str]] = {}
    for item in control.items:
        if item in split:
            members.setdefault(split[item], []).append(item)
    large = {stratum: items for stratum, items in members.items() if len(items) >= FEWEST_ITEMS}
    if not 2 <= len(large) <= MOST_STRATA:
        return
    for stratum, items in sorted(
        large.items(), key=lambda one: (PARTS.index(one[0]) if one[0] in PARTS else 0, one[0])
    ):
        found = _difference(_only(arm, items), _only(control, items))
        if found is not None:
            count, delta, width = found
            yield [kind, stratum, f"{count:,}", name, _number(delta, scores),
                   f"{_number(delta - width, scores)} to {_number(delta + width, scores)}"]  # fmt: skip


def _only(scores: ArmScores, items: list[str]) -> ArmScores:
    wanted = set(items)
    kept = [place for place, item in enumerate(scores.items) if item in wanted]
    return scores.at(kept)


def _difference(arm: ArmScores, control: ArmScores) -> tuple[int, float, float] | None:
    """Items, mean difference, and half the width of its item-paired 95 % interval."""
    pair = pair_scores(arm, control)
    if pair.n_observations < FEWEST_ITEMS:
        return None
    differences = pair.differences()
    error = float(differences.std(ddof=1)) / pair.n_observations**0.5
    return pair.n_items, float(differences.mean()), float(special.stdtrit(pair.n_observations - 1, 0.975)) * error


def _number(value: float, scores: BenchmarkScores) -> str:
    return amount(value, proportion=scores.proportion, signed=True)
