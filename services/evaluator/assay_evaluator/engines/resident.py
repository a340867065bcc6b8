"""One engine for many evaluations: opened once, given other weights in place where nothing else differs.

Never keeps two models in memory; what an evaluation computes is the same as with an engine of its own.
"""

from __future__ import annotations

import gc
import logging
from dataclasses import replace
from typing import Any

from assay_evaluator.engines import open_engine
from assay_evaluator.engines.base import EngineSettings, Progress
from assay_evaluator.engines.weights import same_but_for_weights

log = logging.getLogger(__name__)


class ResidentEngine:
    """Hands out the engine for a model; the one before it is no longer to be used."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
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
        self._engine = None
        gc.collect()
        self._engine = open_engine(name, settings, self._progress)
        self._name = name
        self.opened += 1
        log.info("opened the engine %s", name)
