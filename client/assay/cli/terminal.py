"""The console that commands print to: what comes from elsewhere is shown, and never obeyed by the terminal.

Imported only where something is printed, since rich is slow to start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from assay.cli.output import visible


class Terminal(Console):
    """Escape sequences of a record, a name or a response are pictures; the console's own colours stay."""

    def render(self, *given: Any, **named: Any) -> Iterable[Segment]:
        for segment in super().render(*given, **named):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
