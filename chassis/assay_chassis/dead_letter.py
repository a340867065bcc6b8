"""The record that a refused record becomes: the same bytes on the topic's dead-letter topic, with the reason.

Never changes key, value or headers as they came, except when the broker would not take the value.
"""

from __future__ import annotations

from assay_schemas.envelope import Record
from assay_schemas.letters import ERROR_CLASS, REASON, SERVICE, SOURCE, TRUNCATED, place_of
from assay_schemas.problems import in_one_line
from assay_schemas.topics import dead_letter_topic
from pydantic import ValidationError

_LONGEST_REASON = 2000
_KEPT_OF_TOO_LARGE = 64 * 1024
MARKS = (REASON, ERROR_CLASS, SERVICE, SOURCE)


def dead_letter(record: Record, error: BaseException, service: str) -> Record:
    """The record for the dead-letter topic; marks left by an earlier refusal are replaced."""
    marks = {
        REASON: _reason(error)[:_LONGEST_REASON],
        ERROR_CLASS: type(error).__name__,
        SERVICE: service,
        SOURCE: place_of(record),
    }
    kept = [(name, value) for name, value in record.headers if name not in marks]
    headers = (*kept, *((name, text.encode(errors="replace")) for name, text in marks.items()))
    return record.model_copy(update={"topic": dead_letter_topic(record.topic), "headers": headers})


def _reason(error: BaseException) -> str:
    """Why it was refused, in one line: of an event that does not fit its schema every field."""
    told = in_one_line(error) if isinstance(error, ValidationError) else str(error)
    return told or type(error).__name__


def truncated(letter: Record) -> Record:
    """The letter with only the beginning of key and value and none of the record's own headers, for a broker that
    does not take all of it: any of the three may be what is too large."""
    value, key = letter.value or b"", letter.key or b""
    marks = [(name, text) for name, text in letter.headers if name in MARKS]
    headers = (*marks, (TRUNCATED, str(len(value)).encode()))
    kept = {"key": key[:_KEPT_OF_TOO_LARGE], "value": value[:_KEPT_OF_TOO_LARGE]}
    return letter.model_copy(update={**kept, "headers": headers})
