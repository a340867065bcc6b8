"""Live progress on a terminal or in a notebook; one plain line per change of counts where there is neither.

Shows a view; never reads events itself.
"""

from __future__ import annotations

from importlib.util import find_spec
from types import TracebackType

from rich.console import Console
from rich.live import Live

from assay.display import progress, progress_line
from assay.view import ExperimentView


class LiveProgress:
    """A context that shows each view it is given."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        # In a notebook, rich redraws its output through ipywidgets; without it every change would be a new picture.
        redraws = self._console.is_jupyter and find_spec("ipywidgets") is not None
        interactive = redraws or (self._console.is_terminal and not self._console.is_jupyter)
        self._live = Live(console=self._console, refresh_per_second=8) if interactive else None
        self._line = ""

    def __enter__(self) -> LiveProgress:
        if self._live:
            self._live.start()
        return self

    def update(self, view: ExperimentView) -> None:
        if self._live:
            self._live.update(progress(view))
            return
        line = progress_line(view)
        if line != self._line:
            self._console.print(line, highlight=False)
            self._line = line

    def interrupted(self, experiment_id: str) -> None:
        """Says that only the waiting has ended."""
        short = experiment_id[:8]
        line = f"Not waited for any longer; the experiment goes on. `assay watch {short}` follows it, "
        self._console.print(f"{line}`assay cancel {short}` stops it.", highlight=False, soft_wrap=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
