"""Dead letters and decisions about them are told apart by their headers, whatever a stranger's record bears."""

from __future__ import annotations

from typing import Literal

import pytest
from assay_schemas.envelope import Record
from assay_schemas.letters import ACTION, LETTER, REASON, decided_about, place_of
from assay_schemas.problems import in_one_line
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError


def record(**headers: bytes | None) -> Record:
    return Record(topic="x.dlq", partition=2, offset=7, headers=list(headers.items()))


def test_a_decision_names_its_letter_and_a_letter_has_a_reason() -> None:
    letter = record(**{REASON: b"not JSON"})
    assert decided_about(letter) is None
    assert decided_about(record(**{ACTION: b"drop", LETTER: place_of(letter).encode()})) == "x.dlq/2/7"


def test_a_refused_record_is_no_decision_whatever_headers_it_came_with() -> None:
    assert decided_about(record(**{ACTION: b"drop", LETTER: b"x.dlq/0/0", REASON: b"refused"})) is None
    assert decided_about(record(**{ACTION: b"\xff", LETTER: None})) == ""
    assert decided_about(record()) is None


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seed: int = Field(ge=0)
    at: AwareDatetime
    kind: Literal["first", "second"]
    size: int | list[int]
    on: bool
    name: str = Field(pattern="^a+$")


class Whole(BaseModel):
    parts: list[Part]
    other: Part


def test_the_reason_of_a_letter_is_told_in_our_own_sentences_without_what_was_given() -> None:
    part = {"seed": -1, "at": "secret", "kind": "secret", "size": "secret", "on": "secret", "name": "secret", "x": 1}
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate({"parts": [part], "other": "secret"})
    told = in_one_line(refused.value)
    assert told.split("; ") == [
        "parts.0.seed: must be at least 0",
        "parts.0.at: must be a time such as 2026-01-31T12:00:00Z",
        "parts.0.kind: is not known. Known: first, second",
        "parts.0.size: must be a whole number",
        "parts.0.size: must be a list",
        "parts.0.on: must be true or false",
        "parts.0.name: must match the pattern ^a+$",
        "parts.0.x: is not a known key. Take it out",
        "other: must be a mapping of keys",
    ]
    with pytest.raises(ValidationError) as empty:
        Whole.model_validate({})
    assert in_one_line(empty.value) == "parts: is required. Add it; other: is required. Add it"
