"""The engines that compute likelihoods and generations, by name. To add one: its file and its line here.

Never imports an engine before it is opened.
"""

from __future__ import annotations

import importlib
from typing import Any

from assay_evaluator.engines.base import EngineSettings, Progress

ENGINES = {"transformers": "assay_evaluator.engines.transformers"}


def open_engine(name: str, settings: EngineSettings, progress: Progress) -> Any:
    """The harness's language model for a folder of weights. Raises KeyError for an unknown engine."""
    return importlib.import_module(ENGINES[name]).open_engine(settings, progress)
