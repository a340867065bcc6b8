"""Opens the engine of an evaluation: in this process, or over several where its hardware has room for them.

Never decides how many; `sizes` does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from assay_schemas.experiments import Hardware

from assay_evaluator.engines import is_scorer, open_engine, sees
from assay_evaluator.engines.base import EngineSettings, Progress
from assay_evaluator.engines.resident import ResidentEngine
from assay_evaluator.fanout.sizes import workers_for

SPREAD = ("transformers",)
"""Engines that are spread over processes here; the others bring their own way to use what there is."""


def resident_on(hardware: Hardware, progress: Progress) -> ResidentEngine:
    """A resident engine that makes use of all of a job's hardware."""
    return ResidentEngine(progress, partial(_open, hardware))


def _open(hardware: Hardware, name: str, settings: EngineSettings, progress: Progress) -> Any:
    spread = name in SPREAD and not is_scorer(settings.folder) and not sees(settings.folder)
    workers = workers_for(hardware, settings.folder) if spread else 1
    if workers == 1:
        return open_engine(name, settings, progress)
    from assay_evaluator.fanout.engine import FannedEngine

    return FannedEngine(name, settings, progress, workers)
