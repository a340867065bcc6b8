"""Characters of others' texts that would turn the text around them, made visible: for pages, reports, chat, terminals.

Never changes what is stored or given on as data.
"""

from __future__ import annotations

import re

DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Unicode's explicit embeddings, overrides and isolates (UAX #9, section 2); scripts from right to left need none."""


def unturned(text: str) -> str:
    """The text with each of them by its number: `[U+202E]`."""
    return text if text.isascii() else DIRECTIONS.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def unturned_json(text: str) -> str:
    """JSON with each of them as its escape, which reads back as what it was."""
    return text if text.isascii() else DIRECTIONS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
