"""Why one response is wrong: no answer at all, cut off, refused, another language, its form, its length, its content.

Each response gets exactly one cause, the first that applies; content is what is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from assay_schemas.answers import last_match

from assay_reporter.diagnosis.language import language_of
from assay_reporter.diagnosis.lenient import BOXED, MARKED, holds_the_answer, looked_at

Cause = Literal["format", "refusal", "truncation", "language", "length", "content"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
MEANINGS: dict[Cause, str] = {
    "format": "the right answer is there, in a form that the scorer does not read",
    "refusal": "the response declines to answer",
    "truncation": "the response was cut off at the token limit before its answer",
    "language": "the response is in another language than its prompt",
    "length": "the response is empty, or more than three times shorter or longer than the right one",
    "content": "the answer itself is wrong",
}
REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can ?not|can't|won't|will not|must decline)"
    r"|as an ai\b|i don't feel comfortable|unable to (?:help|assist|answer))",
    re.IGNORECASE,
)
REFUSAL_WITHIN = 200
# One of these is in every refusal: looking for them first is ten times as quick as the expression.
HINTS = ("sorry", "unable", "not able", "can", "won't", "will not", "must decline", "as an ai", "comfortable")
LENGTH_RATIO = 3.0
LENGTH_WORDS = 15


@dataclass(frozen=True)
class Response:
    """What a cause is read from; `other` is the response of the side that was right, where there is one."""

    prompt: str
    target: str
    text: str
    finish_reason: str = ""
    details: str = "{}"
    other: str = ""


def cause_of(wrong: Response) -> Cause:
    """Why this response did not get the score that the other side got."""
    if not wrong.text.strip():
        return "length"
    if holds_the_answer(wrong.text, wrong.target, wrong.details):
        return "format"
    if refuses(wrong.text):
        return "refusal"
    if wrong.finish_reason == "length" and not _gives_an_answer(wrong.text):
        return "truncation"
    if _in_another_language(wrong):
        return "language"
    return "length" if _of_another_length(wrong) else "content"


def refuses(text: str) -> bool:
    """Whether the response begins by declining."""
    opening = text[:REFUSAL_WITHIN].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower()
    return any(hint in opening for hint in HINTS) and REFUSAL.search(opening) is not None


def _gives_an_answer(text: str) -> bool:
    """Whether it says which its answer is: then what comes after the answer was cut, not the answer."""
    told = looked_at(text)
    return last_match(BOXED, told) is not None or last_match(MARKED, told) is not None


def _in_another_language(wrong: Response) -> bool:
    written = language_of(wrong.text)
    wanted = written and (language_of(wrong.prompt) or language_of(wrong.other))
    return bool(wanted) and written != wanted


def _of_another_length(wrong: Response) -> bool:
    given, right = len(wrong.text.split()), len(wrong.other.split())
    if not right or abs(given - right) < LENGTH_WORDS:
        return False
    return given > LENGTH_RATIO * right or right > LENGTH_RATIO * given
