"""The engines that compute likelihoods and generations, by name. To add one: its file and its line here.

Never imports an engine before it is opened.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from assay_evaluator.engines.base import EngineSettings, Progress

ENGINES = {"transformers": "assay_evaluator.engines.transformers"}
SCORER = "assay_evaluator.engines.scorer"


def open_engine(name: str, settings: EngineSettings, progress: Progress) -> Any:
    """The harness's language model for a folder of weights. Raises KeyError for an unknown engine."""
    module = SCORER if is_scorer(settings.folder) else ENGINES[name]
    return importlib.import_module(module).open_engine(settings, progress)


def is_scorer(folder: Path) -> bool:
    """Whether a folder's model gives one score for a text, by its `config.json`; False where there is none."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ())
