"""How the rows of arms differ from each other, and where one arm's are odd beside the others'.

Compares snapshots only; knows no score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from assay_reporter.diagnosis.rows import Row, answer_of, is_preference, prompt_of, side_of
from assay_reporter.diagnosis.sheet import Sheet

LONGER = 4
FAMILIAR = 0.25
FEWEST_CONTENT_WORDS = 3
MOST_ROWS = 1000
DUPLICATES = REPEATS = LEAKS = OFF_TOPIC = FOREIGN = 0.05
UNENDED = 0.2
WRONG = 0.05
EMPTY = CONTRADICTIONS = 0.01
LENGTH_RATIO = 1.5
LENGTH_WORDS = 5


@dataclass(frozen=True)
class Overlap:
    """Shares of one arm's rows: whose prompt the other has too, with the same answer, with another, and, of pairs,
    with chosen and rejected the other way round."""

    same: float
    other_answer: float
    reversed: float


@dataclass(frozen=True)
class Keys:
    """A snapshot's rows by what they are compared with: prompt, answer, and the other answer of a pair."""

    rows: list[tuple[str, str, str]]

    @classmethod
    def of(cls, rows: Sequence[Row], plain: Callable[[str], str]) -> Keys:
        """`plain`: `fingerprint`, or one that remembers."""
        return cls(
            [
                (
                    plain(prompt_of(row)),
                    plain(answer_of(row)),
                    plain(side_of(row, "rejected")) if is_preference(row) else "",
                )
                for row in rows
            ]
        )

    @cached_property
    def prompts(self) -> set[str]:
        """Every prompt."""
        return {prompt for prompt, _, _ in self.rows}

    @cached_property
    def answers(self) -> set[tuple[str, str]]:
        """Every prompt with its answer."""
        return {(prompt, answer) for prompt, answer, _ in self.rows}

    @cached_property
    def turned(self) -> set[tuple[str, str, str]]:
        """Every pair the other way round."""
        return {(prompt, rejected, chosen) for prompt, chosen, rejected in self.rows if rejected}


def overlap(rows: Keys, others: Keys) -> Overlap:
    """How `rows` relate to `others`, by prompt."""
    same = sum((prompt, answer) in others.answers for prompt, answer, _ in rows.rows)
    known = sum(prompt in others.prompts for prompt, _, _ in rows.rows)
    every = max(1, len(rows.rows))
    return Overlap(same / every, (known - same) / every, sum(row in others.turned for row in rows.rows) / every)


def off_topic_share(rows: Sequence[Sequence[str]], vocabularies: Sequence[set[str]]) -> float:
    """The share of rows (their words) less than a quarter of whose longer words occur in a vocabulary, for the
    vocabulary that knows most; 0 where rows have too few words to tell."""
    strange, told = [0] * len(vocabularies), 0
    for row in rows[:: max(1, -(-len(rows) // MOST_ROWS))]:
        words = content_words(row)
        if len(words) >= FEWEST_CONTENT_WORDS:
            told += 1
            for place, vocabulary in enumerate(vocabularies):
                strange[place] += len(words & vocabulary) < FAMILIAR * len(words)
    return min(strange, default=0) / max(1, told)


def content_words(words: Iterable[str]) -> set[str]:
    """The different ones of four letters and more."""
    return {word for word in set(words) if len(word) >= LONGER and word.isalpha()}


def oddities(name: str, sheet: Sheet, others: Mapping[str, Sheet]) -> Iterator[str]:
    """What stands out in an arm's rows: by itself, or beside the sheets of the other arms."""
    for share, limit, words in (
        (sheet.duplicates, DUPLICATES, "of rows are duplicates of earlier ones"),
        (sheet.empty_answers, EMPTY, "of answers are empty"),
        (sheet.leaked_prompts, LEAKS, "of answers repeat their whole prompt (prompt leak)"),
        (sheet.contradictions, CONTRADICTIONS, "of pairs are there the other way round too (contradictory labels)"),
        (
            sheet.wrong_answers or 0.0,
            WRONG,
            "of answers end in another number than the row's own `answer` (wrong answers)",
        ),
    ):
        if share > limit:
            yield f"{name}: {percent(share)} {words}."
    yield from _languages(name, sheet, others)
    yield from _beside_others(name, sheet, others)


def _languages(name: str, sheet: Sheet, others: Mapping[str, Sheet]) -> Iterator[str]:
    """Answers in another language than most; where others exist, than most of theirs."""
    usual = _main_language(others) or next(iter(sheet.languages), "")
    for language, share in sheet.languages.items():
        known = max((one.languages.get(language, 0.0) for one in others.values()), default=0.0)
        if language != usual and share > FOREIGN + known:
            yield f"{name}: {percent(share)} of answers are in {language} (language)."


def _main_language(others: Mapping[str, Sheet]) -> str:
    leading = [next(iter(one.languages), "") for one in others.values()]
    return max(set(leading), key=leading.count) if leading else ""


def _beside_others(name: str, sheet: Sheet, others: Mapping[str, Sheet]) -> Iterator[str]:
    if not others:
        return
    lengths = sorted(one.answer_words for one in others.values())
    usual = lengths[len(lengths) // 2]
    if sheet.answer_words > LENGTH_RATIO * usual and sheet.answer_words - usual > LENGTH_WORDS:
        yield f"{name}: answers have {sheet.answer_words:.0f} words, those of other arms {usual:.0f} (length)."
    cut = max(one.unended_answers for one in others.values())
    if sheet.unended_answers > UNENDED + cut:
        yield (
            f"{name}: {percent(sheet.unended_answers)} of answers end without a closing mark, {percent(cut)} in other "
            "arms: they look truncated (truncation)."
        )


def percent(share: float) -> str:
    """`12 %`; one decimal below ten."""
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"
