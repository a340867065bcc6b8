"""A second, lenient reading of a response: is the right answer there, whatever its form?

Leads no verdict: it tells a wrong answer from a right one in a form that the scorer did not read.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal

from assay_schemas.answers import last_match, last_number, number

BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
MARKED = re.compile(
    r"(?:####|\b(?:final\s+)?(?:answer|result|solution|antwort|ergebnis|réponse|respuesta|risposta|resposta)\b"
    r"(?:\s+(?:is|ist|est|es|è|é))?\s*[:=]?)\s*\**\s*\$?([-+−]?[\d.,]*\d)",
    re.IGNORECASE,
)
EQUALS = re.compile(r"=\s*\$?\s*([-+−]?[\d.,]*\d)")
LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf|left|right|,|;|!|\(|\)|\[|\])|[{}$*_`#\\]")
SEPARATED = re.compile(r"(?<=\d)[ \u00a0\u202f'](?=\d{3}\b)")
OUTSIDE_WORDS = re.compile(r"[^\w\s.%/-]")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
LETTER = re.compile(r"(?<![A-Za-z])\(?([A-H])\)?(?![A-Za-z])")
LENIENT_METRIC = "flexible"
LONGEST_ANSWER_WORDS = 8
LONGEST_LOOK = 8000


def holds_the_answer(response: str, target: str, details: str = "{}") -> bool:
    """Whether the response says the target in any form that a person would accept.

    Numbers: in a box, after words such as "the answer is", after the last equals sign, or the last one.
    Text: the last line, or the end of it, without case, marks and articles. A harness's own lenient metric
    in `details` (lm-eval's `flexible-extract`) counts where there is one.
    """
    response = looked_at(response).strip()
    if not response:
        return False
    if _harness_says_so(details):
        return True
    plain = SEPARATED.sub("", unicodedata.normalize("NFKC", response))
    right = number(_bare(target))
    if right is not None:
        return right in numbers_given(plain)
    return _says(plain, target)


def looked_at(response: str) -> str:
    """The beginning and the end of a response of very many characters, where answers stand; others whole."""
    if len(response) <= LONGEST_LOOK:
        return response
    return f"{response[: LONGEST_LOOK // 2]}\n{response[-LONGEST_LOOK // 2 :]}"


def numbers_given(plain: str) -> set[Decimal]:
    """The numbers that the text may give as its answer."""
    found = (last_match(pattern, plain) for pattern in (BOXED, MARKED, EQUALS))
    candidates = [*found, last_number(_bare(plain))]
    values = (number(_bare(one)) for one in candidates if one)
    return {value for value in values if value is not None}


def _harness_says_so(details: str) -> bool:
    if LENIENT_METRIC not in details:
        return False
    values = json.loads(details)
    return any(LENIENT_METRIC in name and value == 1 for name, value in values.items())


def _bare(text: str) -> str:
    return LATEX.sub("", text).strip()


def _says(response: str, target: str) -> bool:
    wanted = _words(target)
    if not wanted:
        return False
    if len(target.strip(" ().")) == 1 and target.strip(" ().").isalpha():
        return last_match(LETTER, response) == target.strip(" ().").upper()
    lines = [line for line in response.splitlines() if line.strip()]
    last = _words(lines[-1])
    return last == wanted or (len(wanted) <= LONGEST_ANSWER_WORDS and last[-len(wanted) :] == wanted)


def _words(text: str) -> list[str]:
    plain = OUTSIDE_WORDS.sub(" ", _bare(unicodedata.normalize("NFKC", text)).casefold())
    return [word.strip(".") for word in ARTICLES.sub(" ", plain).split() if word.strip(".")]
