"""What a sink is given to deliver, and the ways in which that can fail.

Knows no address and no transport.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from assay_schemas.reports import ReportDocument


@dataclass(frozen=True)
class Message:
    """One report for one sink; `published`: the payload of `report.published`; `thread`: what `send` returned before,
    None at first."""

    report: ReportDocument
    published: dict[str, Any]
    thread: str | None = None

    @property
    def url(self) -> str:
        return str(self.published.get("url") or "")

    @property
    def id(self) -> str:
        """The same for every try, so that a receiver can drop repeats."""
        return f"report.published/{self.report.experiment_id}"


class DeliveryError(Exception):
    """The report was not delivered; the message never holds an address or a secret."""


class TryLater(DeliveryError):
    """The sink cannot take it now. `after_s`: what it asked us to wait, None where it said nothing."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Undeliverable(DeliveryError):
    """No further try helps; the operator has to mend the sink."""


class PartLeftOut(DeliveryError):
    """All that matters is delivered; the message says what is not, and why."""


class Sink(Protocol):
    """One declared sink. `send` delivers the next part: it returns None after the last one, otherwise the thread in
    which more is to follow, in the sink's own words."""

    async def send(self, message: Message, http: httpx.AsyncClient) -> str | None: ...
