"""What is worked out from the evidence once and used in several places: columns, decompositions, contamination.

Computed when first asked for; decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.results import Contamination

from assay_reporter.baselines import baselines_of
from assay_reporter.diagnosis.columns import ByArm, Column, columns_of
from assay_reporter.diagnosis.contamination import Wanted, question_of
from assay_reporter.diagnosis.decomposition import Decomposition, decompose
from assay_reporter.diagnosis.differences import content_words
from assay_reporter.diagnosis.rows import words_in
from assay_reporter.evidence import Baseline, Evidence, TrainingRows
from assay_reporter.statistics import BenchmarkScores

MOSTLY = 0.5
MOST_FLIPS, FEWEST_FLIPS, MOST_FLIPS_IN_ALL = 300, 40, 6000
"""Flips looked at for one arm and benchmark, fewer where there are many of both."""


@dataclass(frozen=True, eq=False)
class Examination:
    """Evidence and its joined scores, by benchmark id."""

    evidence: Evidence
    scores: dict[str, BenchmarkScores]

    @cached_property
    def columns(self) -> dict[str, ByArm]:
        """Samples by benchmark id and arm."""
        return columns_of(self.evidence)

    @cached_property
    def decompositions(self) -> dict[tuple[str, str], Decomposition]:
        """By (arm, benchmark id), where responses were generated, scored as shares of 1, and control has them too."""
        found = {}
        for benchmark, arms in self.columns.items():
            for arm in arms:
                if arm != CONTROL and (parts := self.decomposed(arm, CONTROL, benchmark)) is not None:
                    found[arm, benchmark] = parts
        return found

    def decomposed(self, arm: str, versus: str, benchmark: str) -> Decomposition | None:
        """An arm against another or control, replicate by replicate; None where there is nothing to take apart."""
        arms = self.columns[benchmark]
        ours, theirs = arms.get(arm, []), arms.get(versus, [])
        if not ours or not theirs or not self.scores[benchmark].proportion or not theirs[0].generated:
            return None
        pairs = sum(2 * len(arms) - 3 for arms in self.columns.values())
        most_flips = min(MOST_FLIPS, max(FEWEST_FLIPS, MOST_FLIPS_IN_ALL // max(1, pairs)))
        return decompose([(theirs[place % len(theirs)], one) for place, one in enumerate(ours)], most_flips)

    @cached_property
    def baselines(self) -> dict[str, Baseline]:
        """What control scored, by benchmark id."""
        return baselines_of(self.evidence)

    @cached_property
    def first_arm(self) -> str:
        """The first trained arm, which the placebo copies; nothing where there is none."""
        return next((arm.name for arm in self.evidence.plan.arms if arm.role == "arm"), "")

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of each arm's snapshot."""
        return {arm.name: arm.dataset.digest for arm in self.evidence.plan.arms if arm.dataset is not None}

    @cached_property
    def rows_by_arm(self) -> dict[str, TrainingRows]:
        """The rows of every arm whose snapshot could be read; the placebo's are another arm's."""
        rows = self.evidence.rows
        return {arm: rows[digest] for arm, digest in self.digests.items() if digest in rows and arm != PLACEBO}

    @cached_property
    def benchmark_words(self) -> set[str]:
        """The longer words of all benchmarks' prompts and targets."""
        columns = [column for arms in self.columns.values() if (column := _any(arms)) is not None]
        texts = (text for column in columns for name in ("prompt", "target") for text in column.texts(name))
        return content_words(words_in(" ".join(texts)))

    @cached_property
    def vocabularies(self) -> dict[str, set[str]]:
        """The longer words of each snapshot's rows, by its digest."""
        return {digest: content_words(chain.from_iterable(found.words)) for digest, found in self.evidence.rows.items()}

    @cached_property
    def contaminated(self) -> dict[tuple[str, str], frozenset[str]]:
        """By (arm, benchmark id): the items that stand in the arm's rows word for word, or by most of their n-grams
        as the evaluation counted them; where there are any."""
        wanted = Wanted({
            (benchmark, item): text
            for benchmark, arms in self.columns.items()
            if (column := _any(arms)) is not None
            for item, text in item_texts(column).items()
        })  # fmt: skip
        whole = {digest: wanted.found_in(rows.words) for digest, rows in self.evidence.rows.items()}
        found: dict[tuple[str, str], frozenset[str]] = {}
        for benchmark in self.columns:
            for arm, digest in self.digests.items():
                there = {item for where, item in whole.get(digest, ()) if where == benchmark}
                if arm != PLACEBO and (items := there | self._overlapping(arm, benchmark)):
                    found[arm, benchmark] = frozenset(items)
        return found

    def _overlapping(self, arm: str, benchmark: str) -> frozenset[str]:
        """Items most of whose n-grams the evaluation of any replicate found in the rows it was trained on."""
        stated = self.contamination(arm, benchmark)
        shares = self.evidence.overlaps.get(stated.overlap.uri, {}) if stated is not None else {}
        return frozenset(item for item, share in shares.items() if share >= MOSTLY)

    def contamination(self, arm: str, benchmark: str) -> Contamination | None:
        """What the evaluation of the arm's first replicate says of its training rows."""
        for replicate in self.evidence.plan.replicates:
            evaluated = self.evidence.evaluations.get(replicate.evals.get(benchmark, ""))
            if replicate.arm == arm and evaluated is not None and evaluated.result.contamination is not None:
                return evaluated.result.contamination
        return None

    def item_count(self, benchmark: str) -> int:
        """How many items the benchmark has here."""
        column = _any(self.columns[benchmark])
        return 0 if column is None else len({item for item, _ in column.place})


def item_texts(column: Column) -> dict[str, str]:
    """What is looked for of each item: its question, and where nothing is generated the answer that is scored."""
    prompts, targets = column.texts("prompt"), column.texts("target")
    texts = prompts if column.generated else [f"{one} {two}" for one, two in zip(prompts, targets, strict=True)]
    return {item: question_of(text) for (item, _), text in zip(column.place, texts, strict=True)}


def _any(arms: ByArm) -> Column | None:
    return next((column for columns in arms.values() for column in columns), None)
