"""Identifiers: experiments, events and jobs are named by what they are, so that a repeat has the same name.

Never random: two processes that see the same input compute the same id.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import StringConstraints

from assay_schemas.problems import NAME_PATTERN

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:assay")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
JobKey = Sha256
ExperimentId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=63)]
JobKind = Literal["training", "selection", "eval"]


def event_id(topic: str, *parts: str | int) -> str:
    """The id of the event that says `topic` about `parts`; publishing it again is the same event."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(["event", topic, *map(str, parts)])))


def experiment_id(source: str, request_event_id: str) -> str:
    """The id of the experiment that the request with this CloudEvents source and id asks for."""
    return str(uuid.uuid5(NAMESPACE, f"experiment\x1f{source}\x1f{request_event_id}"))


def record_event_id(topic: str, partition: int, offset: int) -> str:
    """The event id of a record that brought none of its own: its place in the log."""
    return f"{topic}/{partition}/{offset}"
