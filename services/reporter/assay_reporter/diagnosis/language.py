"""The language a text is written in, from its script and its commonest words.

A rough guess that needs no model: silent (empty) for short texts, formulas and code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SCRIPTS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Chinese", re.compile(r"[\u3400-\u9fff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af]")),
    ("Russian or another in Cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Hindi or another in Devanagari", re.compile(r"[\u0900-\u097f]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]{2}")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)
COMMON_WORDS = {
    "English": "the of and to is in that it for was with as are this be have from has at we so then each he she you",
    "German": "der die das und ist nicht ein eine mit von zu den dem des sich auf für wir also dann sind hat war er",
    "French": "le la les et est un une des du que dans pour qui avec sur pas nous donc sont elle il au ce cette",
    "Spanish": "el la los las y es un una de que en por con para del se no son como más tiene entonces cada ella",
    "Italian": "il lo gli e è un una di che per con non sono della del nel quindi ha alla anche come ogni più",
    "Portuguese": "o os as e é um uma de que em por com para não são do da no na então tem cada mais ela ele",
    "Dutch": "de het en is een van dat niet met op voor zijn we dus heeft er aan elke zij hij dan ook naar bij",
}
LANGUAGES_OF: dict[str, list[str]] = {}
for _name, _words in COMMON_WORDS.items():
    for _word in _words.split():
        LANGUAGES_OF.setdefault(_word, []).append(_name)
WORD = re.compile(r"[^\W\d_]+")
OUTSIDE_WORDS = "".join(chr(code) if chr(code).isalpha() else " " for code in range(128))
"""What each ASCII character is replaced by where only letters count."""
LONGEST_LOOK = 2000
SCRIPT_SHARE = 0.2
FEWEST_WORDS = 4
FEWEST_COMMON = 2


def language_of(text: str) -> str:
    """The language's English name, or nothing where the text does not tell."""
    looked_at = text[:LONGEST_LOOK]
    if looked_at.isascii():
        words = looked_at.lower().translate(OUTSIDE_WORDS).split()
    else:
        letters = sum(map(str.isalpha, looked_at))
        for name, script in SCRIPTS:
            if letters and len(script.findall(looked_at)) >= SCRIPT_SHARE * letters:
                return name
        words = WORD.findall(looked_at.lower())
    if len(words) < FEWEST_WORDS:
        return ""
    counts: dict[str, int] = {}
    # Different words: one that is there twice, such as the O of a name, says no more than one that is there once.
    for names in filter(None, map(LANGUAGES_OF.get, set(words))):
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    most = max(counts.values(), default=0)
    leading = [name for name, count in counts.items() if count == most]
    return leading[0] if most >= FEWEST_COMMON and len(leading) == 1 else ""
