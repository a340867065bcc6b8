"""Reading an answer out of a response: by a regular expression, or as the last number.

Pure text functions, shared by benchmarks and rewards; never raise for a response that has no answer.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator

# What can begin a number is looked at first: most characters cannot, and a response is read in half the time.
NUMBER = re.compile(
    r"(?=[-+−$.\d])(?:"
    r"(?<![\w.)])[-+−]?(?:\$\s?)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
    r"|(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
    r"|(?<![\w.)])[-+−]?\.\d+"
    r")"
)

DIGIT, SPACE = re.compile(r"\d"), re.compile(r"\s")
MOST_DIGITS = 1000

FENCED_PROGRAM = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)


def compiles(pattern: str) -> str:
    """The same pattern. Raises ValueError, in words, where it is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(compiles)]
"""A regular expression that compiles, so that a mistake in it is told before anything is trained."""


def program_in(text: str) -> str:
    """The last fenced block of Python, or the whole text where there is none."""
    blocks = FENCED_PROGRAM.findall(text)
    return str(blocks[-1]) if blocks else text


def last_match(pattern: re.Pattern[str], text: str, begin: int = 0) -> str | None:
    """The last match of the pattern: its last group that took part, or the whole of it where it has no groups.

    The last, because a response that reasons first gives its answer at the end. Looks from `begin` on.
    """
    found = None
    for match in pattern.finditer(text, begin):
        found = match
    if found is None:
        return None
    groups = [group for group in found.groups() if group is not None]
    return (groups[-1] if groups else found.group()).strip()


def last_number(text: str) -> str | None:
    """The last number written in the text, as written (sign, thousands separators and dollar sign included).

    A minus sign counts only where it cannot be a subtraction or a hyphen: not after a digit, letter,
    point or closing bracket.
    """
    backwards = text[::-1]
    digit = DIGIT.search(backwards)
    if digit is None:
        return None
    space = SPACE.search(backwards, digit.end())
    # A number has no space in it, but for one behind a dollar sign: `-$ 5`. So only the last one's is looked at.
    begin = len(text) - space.end() - 2 if space else 0
    return last_match(NUMBER, text, max(0, begin))


def number(text: str) -> Decimal | None:
    """The value of a number as people write it: `$1,234.50`, `−3`, `1e3`; None where the text is none.

    Nobody writes a number of more than a thousand digits: with `1e9999999` decimals cannot even be subtracted.
    """
    plain = text.strip().replace(",", "").replace("$", "").replace(" ", "").replace("−", "-").rstrip(".%")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) <= MOST_DIGITS else None
