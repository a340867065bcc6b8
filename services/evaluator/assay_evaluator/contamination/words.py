"""Text as the words that are compared: case, punctuation, spacing and Unicode forms do not count.

Pure; used alike on items and on training rows, so that both are cut the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from assay_schemas.images import is_image_column

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana and Han. Each of their characters is a word."""

WORD = re.compile(rf"[^\W{UNSPACED}]+|[{UNSPACED}]")
TRAINED_COLUMNS = ("messages", "prompt", "completion", "text", "chosen", "rejected", "answer")
NOT_TEXT = frozenset({"id", "role"})


def words_of(text: str) -> list[str]:
    """The words of a text, normalised (NFKC, lower case), in order."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return WORD.findall(plain.lower())


def item_texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Every text of a benchmark item, wherever in the row it stands, but for ids and the names of images."""
    return tuple(_leaves({name: value for name, value in row.items() if not is_image_column(name)}))


def trained_texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a training row that training can read: its other columns are notes."""
    return tuple(_leaves({column: row[column] for column in TRAINED_COLUMNS if column in row}))


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, Mapping):
        return [leaf for name, part in value.items() if name not in NOT_TEXT for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return []
