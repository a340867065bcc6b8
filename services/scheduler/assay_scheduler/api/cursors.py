"""Cursors of lists: the last row shown, opaque to callers.

Raises Refusal for a cursor that this service did not make.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from assay_schemas.problems import Problem

from assay_scheduler.api.refusals import invalid


def read_cursor(cursor: str | None) -> tuple[datetime | None, str]:
    if not cursor:
        return None, ""
    try:
        text, _, identity = base64.urlsafe_b64decode(cursor).decode().partition("|")
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not 1 < at.year < 9999 or "\x00" in identity:
            raise ValueError("no time of a row, or no name of one")
        return at, identity
    except (ValueError, binascii.Error):
        mend = "Use the `cursor` of the answer before, as it is."
        raise invalid([Problem(field="cursor", message="is not a cursor.", mend=mend)]) from None


def next_cursor(rows: Sequence[Any], limit: int, time: str, identity: str) -> str | None:
    """None when there is no further page."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    return base64.urlsafe_b64encode(f"{last[time].isoformat()}|{last[identity]}".encode()).decode()
