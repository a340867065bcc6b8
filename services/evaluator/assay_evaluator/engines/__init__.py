"""The engines that compute likelihoods and generations, by name. To add one: its file and its line here.

Never imports an engine before it is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from assay_schemas.images import takes_images

from assay_evaluator.engines.base import EngineSettings, Progress
from assay_evaluator.failures import bad_input

ENGINES = {
    "transformers": "assay_evaluator.engines.transformers",
    "vllm": "assay_evaluator.engines.vllm",
    "endpoint": "assay_evaluator.engines.endpoint",
}
NEEDED = {"vllm": "vllm"}
SCORER = "assay_evaluator.engines.scorer"
VISION = "assay_evaluator.engines.vision"


def open_engine(name: str, settings: EngineSettings, progress: Progress) -> Any:
    """The harness's language model for a folder of weights. Raises KeyError for an unknown engine, JobFailed for one
    whose library is missing."""
    module = _module(name, settings.folder)
    if module != SCORER and name in NEEDED and importlib.util.find_spec(NEEDED[name]) is None:
        raise bad_input(
            f"inputs.engine: {name} is not installed where evaluations run; leave engine out, or install it"
        )
    return importlib.import_module(module).open_engine(settings, progress)


def _module(name: str, folder: Path) -> str:
    if is_scorer(folder):
        return SCORER
    return VISION if name == "transformers" and sees(folder) else ENGINES[name]


def is_scorer(folder: Path) -> bool:
    """Whether a folder's model gives one score for a text, by its `config.json`; False where there is none."""
    names = _config(folder).get("architectures") or ()
    return any(str(name).endswith("ForSequenceClassification") for name in names)


def sees(folder: Path) -> bool:
    """Whether a folder's model takes images, by its `config.json`; False where there is none."""
    return takes_images(_config(folder))


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
