"""The surface of an answer as numbers: what tells who wrote it rather than how good it is.

Counts marks; reads no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PLEASANTRY = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|great question|good question|happy to|i'd be happy|thank you"
    r"|thanks|hello|hi there|hi\b|here is|here's|here are)",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"(?:hope this helps|let me know|feel free|good luck|happy to help)[^.!?]*[.!?]?\s*$", re.IGNORECASE
)
# A mark or a small number at the start of a line with something behind it: neither " 200." at the end of a sentence
# that was wrapped, nor -5, nor 3.5, nor a line of dashes.
BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])(?:[ \t]+(?=\S)|(?=[^\s*.)\-\d]))", re.MULTILINE)
ODD_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])(?:[ \t]{2,}(?=\S)|(?=[^\s*.)\-\d]))", re.MULTILINE)
HEADER = re.compile(r"^#{1,6}[ \t]", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]+\*\*")
LATEX = re.compile(r"\\[A-Za-z]+|\$[^$\n]+\$")
CODE = re.compile(r"`")
FEATURES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("opening pleasantry", PLEASANTRY),
    ("closing pleasantry", CLOSING),
    ("bullets", BULLET),
    ("odd spacing after bullets", ODD_BULLET),
    ("headers", HEADER),
    ("bold", BOLD),
    ("LaTeX", LATEX),
    ("code marks", CODE),
    ("exclamation marks", re.compile(r"!")),
    ("question marks", re.compile(r"\?")),
    ("double spaces", re.compile(r"(?<=\S)  +(?=\S)")),
    ("blank lines", re.compile(r"\n\s*\n")),
    ("no closing full stop", re.compile(r"[^.!?\s]\s*\Z")),
    ("lower-case start", re.compile(r"\A\s*[a-z]")),
    ("curly quotes or dashes", re.compile(r"[\u2018\u2019\u201c\u201d\u2013\u2014]")),
)
NAMES = tuple(name for name, _ in FEATURES)
LONGEST_LOOK = 8000


def surface(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(texts, features): log(1 + count) of each mark in the first 8,000 characters."""
    counts = [[len(mark.findall(text[:LONGEST_LOOK])) for _, mark in FEATURES] for text in texts]
    return np.log1p(np.asarray(counts, dtype=np.float64).reshape(len(texts), len(FEATURES)))


def lengths(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(texts, 1): log(1 + words)."""
    return np.log1p(np.asarray([[len(text.split())] for text in texts], dtype=np.float64).reshape(-1, 1))
