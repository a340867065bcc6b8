"""How many tokens data holds, from a sample of its rows: what is counted of a row, and what is kept of the counts.

Pure; whoever has a tokenizer hands in how to count, and without one bytes are divided by a usual ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BYTES_PER_TOKEN = 4.0  # English prose in a vocabulary of 32 to 128 thousand; code and other scripts have fewer
SAMPLED_ROWS = 256
Text = tuple[str, str]


class Length(BaseModel):
    """A sequence's tokens: those that are given, and all, the given ones included."""

    model_config = ConfigDict(frozen=True)

    prompt_tokens: int
    tokens: int


class TokenSample(BaseModel):
    """Lengths of the sequences of `sampled_rows` rows out of `rows`. `source` says how they were counted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: int = Field(ge=0)
    sampled_rows: int = Field(ge=0)
    lengths: tuple[Length, ...]
    source: Literal["tokenizer", "bytes_per_token"]

    @property
    def sequences_per_row(self) -> float:
        return len(self.lengths) / self.sampled_rows if self.sampled_rows else 0.0

    def mean_tokens(self) -> float:
        """Tokens in one sequence, none cut."""
        return sum(length.tokens for length in self.lengths) / len(self.lengths) if self.lengths else 0.0


def token_sample(
    rows: int, sample: Sequence[Mapping[str, Any]], count: Callable[[Sequence[str]], Sequence[int]] | None
) -> TokenSample:
    """Counts the sampled rows of a dataset of `rows` rows; `count` gives the tokens of each text."""
    texts = [pair for row in sample for pair in sequences_of(row)]
    counter = count or _by_bytes
    prompts, rests = counter([prompt for prompt, _ in texts]), counter([rest for _, rest in texts])
    lengths = tuple(
        Length(prompt_tokens=given, tokens=max(1, given + more)) for given, more in zip(prompts, rests, strict=True)
    )
    source: Literal["tokenizer", "bytes_per_token"] = "tokenizer" if count else "bytes_per_token"
    return TokenSample(rows=rows, sampled_rows=len(sample), lengths=lengths, source=source)


def _by_bytes(texts: Sequence[str]) -> list[int]:
    return [round(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN) for text in texts]


def sequences_of(row: Mapping[str, Any]) -> list[Text]:
    """What the model reads of a row, as (prompt, rest): one pair a sequence, so two for a preference, and one for each
    choice of a multiple-choice item, or each of several answers or responses."""
    prompt = plain_text(row.get("prompt") or row.get("question") or "")
    if isinstance(row.get("choices"), list):
        return [(prompt, plain_text(choice)) for choice in row["choices"]]
    if "chosen" in row and "rejected" in row:
        return [(prompt, plain_text(answer)) for side in ("chosen", "rejected") for answer in _answers(row[side])]
    if "response_1" in row:
        return [(prompt, plain_text(row[name])) for name in row if name.startswith("response_") and row[name]]
    for column in ("completion", "messages", "text", "answer"):
        if row.get(column) is not None:
            return [(prompt, plain_text(row[column]))]
    return [(prompt, "")]


def _answers(value: Any) -> list[Any]:
    """A list of texts is several answers; messages are one."""
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else [value]


def plain_text(value: Any) -> str:
    """The text of a value: of messages, what each says, with a line for the marks around it."""
    if isinstance(value, list):
        return "\n".join(plain_text(part) for part in value)
    if isinstance(value, Mapping):
        return f"{value.get('role', '')}\n{plain_text(value.get('content') or '')}\n"
    return str(value)
