"""What an arm's rows are like, as numbers: lengths, repeats, languages, sources, and what is odd about answers.

Describes one snapshot; how two differ is for `differences`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from assay_schemas.answers import last_number, number

from assay_reporter.diagnosis.language import language_of
from assay_reporter.diagnosis.rows import TEXT_COLUMNS, Row, answer_of, has_answer, is_preference, prompt_of, side_of

LANGUAGE_ROWS = 1000
MOST_VALUES = 20
LEAK_CHARACTERS = 20
ENDED = re.compile(r"[.!?:;)\]}\"'»”。！？…|>*`$\d]")


@dataclass(frozen=True)
class Sheet:
    """Shares are of the rows that are here. `languages`: of answers, where it could be told; `mixes`: by
    column of few values; `wrong_answers`: whose last number is not the row's own `answer` (None without one);
    `contradictions`: pairs that are there the other way round too."""

    rows: int
    total: int
    prompt_words: float
    answer_words: float
    longest_answer_words: int
    duplicates: float
    repeated_answers: float
    empty_answers: float
    unended_answers: float
    leaked_prompts: float
    wrong_answers: float | None
    contradictions: float
    languages: Mapping[str, float]
    mixes: Mapping[str, Mapping[str, float]]


def sheet_of(rows: Sequence[Row], total: int, plain: Callable[[str], str]) -> Sheet:
    """The sheet of some rows of a snapshot that has `total`. `plain`: `fingerprint`, or one that remembers."""
    prompts, answers = [prompt_of(row) for row in rows], [answer_of(row) for row in rows]
    lengths = [_words(plain(answer)) for answer in answers]
    every = max(1, len(rows))
    pairs = zip(prompts, answers, strict=True)
    return Sheet(
        rows=len(rows),
        total=total,
        prompt_words=fmean(_words(plain(prompt)) for prompt in prompts) if rows else 0.0,
        answer_words=median(lengths) if rows else 0.0,
        longest_answer_words=max(lengths, default=0),
        duplicates=_repeats([tuple(plain(side_of(row, name)) for name in TEXT_COLUMNS if name in row) for row in rows]),
        repeated_answers=_repeats([plain(answer) for answer in answers]),
        empty_answers=sum(not answer.strip() and has_answer(row) for row, answer in zip(rows, answers, strict=True))
        / every,
        unended_answers=sum(bool(end := answer.rstrip()[-1:]) and not ENDED.match(end) for answer in answers) / every,
        leaked_prompts=sum(_leaks(prompt, answer) for prompt, answer in pairs) / every,
        wrong_answers=_wrong_answers(rows, answers),
        contradictions=_contradictions(rows, plain),
        languages=_languages(answers),
        mixes=_mixes(rows),
    )


def fingerprint(text: str) -> str:
    """Equal for texts that differ in case and white space alone."""
    return " ".join(text.split()).casefold()


def _words(plain: str) -> int:
    """How many words a fingerprint has: one space is between any two."""
    return plain.count(" ") + 1 if plain else 0


def _repeats(prints: Sequence[Hashable]) -> float:
    """The share that an earlier one equals."""
    return 1 - len(set(prints)) / len(prints) if prints else 0.0


def _leaks(prompt: str, answer: str) -> bool:
    """Whether the answer says its whole prompt again."""
    wanted = prompt.strip()
    return len(wanted) >= LEAK_CHARACTERS and wanted in answer


def _wrong_answers(rows: Sequence[Row], answers: Sequence[str]) -> float | None:
    """Of rows with a numeric `answer` beside their completion, the share whose completion ends in another number."""
    checked = wrong = 0
    for row, answer in zip(rows, answers, strict=True):
        if "completion" not in row or not isinstance(row.get("answer"), str | int | float):
            continue
        right, given = number(str(row["answer"])), number(last_number(answer) or "")
        if right is not None and given is not None:
            checked += 1
            wrong += given != right
    return wrong / checked if checked else None


def _contradictions(rows: Sequence[Row], plain: Callable[[str], str]) -> float:
    """The share of pairs whose chosen and rejected answers another row has the other way round."""
    pairs = [
        tuple(plain(text) for text in (prompt_of(row), side_of(row, "chosen"), side_of(row, "rejected")))
        for row in rows
        if is_preference(row)
    ]
    known = set(pairs)
    return sum((prompt, rejected, chosen) in known for prompt, chosen, rejected in pairs) / max(1, len(pairs))


def _languages(answers: Sequence[str]) -> dict[str, float]:
    every = max(1, len(answers) // LANGUAGE_ROWS)
    read = answers[::every]
    told = Counter(language for answer in read if (language := language_of(answer)))
    return {name: count / len(read) for name, count in told.most_common()}


def _mixes(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Columns that are no text of the row and have few values: sources, domains, levels."""
    columns = dict.fromkeys(name for row in rows[:LANGUAGE_ROWS] for name in row)
    found = {}
    for column in columns:
        if column in (*TEXT_COLUMNS, "id"):
            continue
        counts = Counter(str(row.get(column)) for row in rows if isinstance(row.get(column), str | int | bool))
        if 1 < len(counts) <= MOST_VALUES and counts.total() > 2 * len(counts):
            found[column] = {name: count / counts.total() for name, count in counts.most_common()}
    return found
