"""One engine for many evaluations: opened once, given other weights in place where nothing else differs.

Never keeps two models in memory; what an evaluation computes is the same as with an engine of its own.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from assay_evaluator.engines import open_engine
from assay_evaluator.engines.base import EngineSettings, Progress
from assay_evaluator.engines.weights import same_but_for_weights

Open = Callable[[str, EngineSettings, Progress], Any]
"""Opens the engine of a name."""
log = logging.getLogger(__name__)


class ResidentEngine:
    """Hands out the engine for a model; the one before it is no longer to be used."""

    def __init__(self, progress: Progress, opens: Open = open_engine) -> None:
        self._progress = progress
        self._opens = opens
        self._engine: Any = None
        self._name = ""
        self._settings: EngineSettings | None = None
        self.opened = 0

    def on(self, name: str, settings: EngineSettings) -> Any:
        """The engine `name` on the model in `settings.folder`. Raises KeyError for an unknown engine."""
        if not self._serves(name, settings):
            self._open(name, settings)
        self._settings = settings
        return self._engine

    def close(self) -> None:
        """Let the engine go, with the processes it may have."""
        end = getattr(self._engine, "close", None)
        self._engine = self._settings = None
        if end is not None:
            end()

    def _serves(self, name: str, settings: EngineSettings) -> bool:
        """Whether the engine that is open has, or could be given, this model."""
        held = self._settings
        if held is None or name != self._name or replace(held, folder=settings.folder) != settings:
            return False
        if held.folder == settings.folder:
            return True
        swap = getattr(self._engine, "swap", None)
        return swap is not None and same_but_for_weights(held.folder, settings.folder) and bool(swap(settings.folder))

    def _open(self, name: str, settings: EngineSettings) -> None:
        self.close()
        gc.collect()
        self._engine = self._opens(name, settings, self._progress)
        self._name = name
        self.opened += 1
        log.info("opened the engine %s", name)
