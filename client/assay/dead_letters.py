"""Dead letters and what was decided about each: to send its record again, once, or to drop it.

A decision is a record beside its letter, in the same partition: who comes first there has decided, and every later
one sees it. Never changes or deletes a letter.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from assay_schemas.envelope import Record
from assay_schemas.letters import (
    ACTION,
    ERROR_CLASS,
    LETTER,
    REASON,
    SERVICE,
    SOURCE,
    TRUNCATED,
    decided_about,
    headers_of,
    place_of,
)
from assay_schemas.problems import nearest
from assay_schemas.topics import TOPICS, dead_letter_topic

from assay import stream
from assay.errors import AssayError, NotFound
from assay.settings import ClientSettings

Action = Literal["replay", "drop"]
State = Literal["open", "replay begun", "replayed", "dropped"]
NUMBER, CLAIM, BY = "assay_number", "assay_claim", "assay_by"
REPLAYED_FROM = "assay_replayed_from"
_MARKS = (REASON, ERROR_CLASS, SERVICE, SOURCE, TRUNCATED)


class AlreadyDecided(AssayError):
    """Somebody has replayed or dropped this letter before."""


class NotWhole(AssayError):
    """The record was too large for the broker, and the letter holds only its beginning."""


@dataclass(frozen=True)
class Decision:
    """What was decided about a letter; the first of each number counts. `replayed` says that a replay was written."""

    action: str
    number: int
    claim: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Letter:
    """A refused record, where it lies, and the decisions about it in their order."""

    record: Record
    decisions: tuple[Decision, ...] = field(default_factory=tuple)

    @property
    def id(self) -> str:
        return place_of(self.record)

    @property
    def topic(self) -> str:
        return self.record.topic.removesuffix(".dlq")

    @property
    def state(self) -> State:
        if not self.decisions:
            return "open"
        if self.decisions[0].action == "drop":
            return "dropped"
        return "replayed" if any(one.action == "replayed" for one in self.decisions) else "replay begun"

    @property
    def claims(self) -> list[Decision]:
        return [one for one in self.decisions if one.action != "replayed"]

    def mark(self, name: str) -> str:
        return headers_of(self.record).get(name, "")


def read_letters(records: Iterable[Record]) -> list[Letter]:
    """The letters among the records of dead-letter topics, the oldest first, each with its decisions."""
    letters: dict[str, Letter] = {}
    for record in sorted(records, key=lambda one: (one.topic, one.partition, one.offset)):
        about = decided_about(record)
        if about is None:
            letters[place_of(record)] = Letter(record)
        elif (letter := letters.get(about)) is not None:
            letters[letter.id] = replace(letter, decisions=(*letter.decisions, _decision(record, headers_of(record))))
    return sorted(letters.values(), key=lambda letter: letter.record.timestamp_ms)


async def letters(settings: ClientSettings, topic: str | None = None) -> list[Letter]:
    """Every letter of one topic, or of all. Raises NotFound for a topic that does not exist, NotConnected."""
    if topic is not None and topic not in TOPICS:
        raise NotFound(f"There is no topic {topic!r}. {nearest(topic, TOPICS)}")
    names = [dead_letter_topic(name) for name in ([topic] if topic else TOPICS)]
    return read_letters([one async for one in stream.records(settings, names, follow=False) if one is not None])


async def find(settings: ClientSettings, identity: str) -> Letter:
    """The letter of this id, or of the record it was made from. Raises NotFound."""
    topic = identity.split("/")[0].removesuffix(".dlq")
    if topic not in TOPICS:
        raise NotFound(f"{identity!r} is no id of a dead letter. `assay dlq list --all` shows their ids.")
    found = [letter for letter in await letters(settings, topic) if identity in (letter.id, letter.mark(SOURCE))]
    if not found:
        raise NotFound(f"There is no dead letter {identity!r}. `assay dlq list --all` shows their ids.")
    if len(found) > 1:
        several = ", ".join(letter.id for letter in found)
        raise NotFound(f"{identity} was refused by several services; name one of its letters: {several}.")
    return found[0]


async def replay(settings: ClientSettings, identity: str, *, again: bool = False) -> Letter:
    """Sends the record of a letter once more, as it came, to the topic it came from.

    Raises NotFound, NotWhole, and AlreadyDecided where that was done before; with `again` it is done nevertheless.
    """
    letter = await find(settings, identity)
    if letter.mark(TRUNCATED):
        raise NotWhole(f"{letter.id} holds only the beginning of its record; publish the whole event again instead.")
    claimed = await _claim(settings, letter, "replay", again=again)
    headers = [(name, value) for name, value in letter.record.headers if name not in _MARKS]
    source = letter.record.model_copy(
        update={"topic": letter.topic, "headers": (*headers, (REPLAYED_FROM, letter.id.encode()))}
    )
    await stream.send(settings, source)
    await _note(settings, letter, "replayed", claimed.number, claimed.claim)
    return await find(settings, letter.id)


async def drop(settings: ClientSettings, identity: str) -> Letter:
    """Notes that nothing is to be done about a letter. Raises NotFound, AlreadyDecided."""
    letter = await find(settings, identity)
    await _claim(settings, letter, "drop", again=False)
    return await find(settings, letter.id)


async def _claim(settings: ClientSettings, letter: Letter, action: Action, *, again: bool) -> Decision:
    """Decides, if nobody else has: of two at the same time, the one whose record comes first."""
    if letter.decisions and not again:
        raise _decided(letter, letter.decisions[-1])
    number, claim = len(letter.claims), uuid.uuid4().hex
    await _note(settings, letter, action, number, claim)
    seen = await find(settings, letter.id)
    first = next(one for one in seen.claims if one.number == number)
    if first.claim != claim:
        raise _decided(letter, first)
    return first


def _decided(letter: Letter, decision: Decision) -> AlreadyDecided:
    words = {"replay": "was being replayed", "replayed": "was replayed", "drop": "was dropped"}[decision.action]
    when = decision.at.isoformat(timespec="seconds")
    return AlreadyDecided(
        f"{letter.id} {words} by {decision.by} at {when}. `assay dlq replay {letter.id} --again` sends it nevertheless."
    )


async def _note(settings: ClientSettings, letter: Letter, action: str, number: int, claim: str) -> None:
    marks = {LETTER: letter.id, ACTION: action, NUMBER: str(number), CLAIM: claim, BY: getpass.getuser()}
    headers = tuple((name, text.encode()) for name, text in marks.items())
    note = letter.record.model_copy(update={"value": b"{}", "headers": headers})
    await stream.send(settings, note, partition=letter.record.partition)


def _decision(record: Record, marks: dict[str, str]) -> Decision:
    number = marks.get(NUMBER, "0")
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    return Decision(marks[ACTION], int(number) if number.isdigit() else 0, marks.get(CLAIM, ""), marks.get(BY, ""), at)
