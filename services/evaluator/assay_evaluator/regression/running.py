"""Runs the rows of the table whose model and data are on this machine, and says why not of the others.

A row that cannot run is never a success.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from assay_chassis.job_service.failures import JobFailed
from assay_schemas.benchmarks import OWN_BENCHMARKS, NamedTaskParameters, OwnParameters
from assay_schemas.catalogue import HubData, catalogue

from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.regression.labels import SOLUTIONS, agreement
from assay_evaluator.regression.table import LabelFigure, ModelFigure, ReportedFigure, Row
from assay_evaluator.scoring import Scored

Status = Literal["passed", "failed", "not run"]
ROUNDING = 1e-9


class NotHere(Exception):
    """What a row needs is not on this machine; the message says what and how to get it."""


@dataclass(frozen=True)
class Outcome:
    """What a row came to. `measured` is None where it did not run, and `reason` then says why."""

    name: str
    status: Status
    figure: float
    tolerance: float
    measured: float | None
    reason: str
    source: str


@dataclass(frozen=True)
class Machine:
    """Where things are: the folder of GSM8K's files, if any, and a folder for the harness's index."""

    gsm8k: Path | None
    cache: Path


def outcome_of(row: Row, machine: Machine) -> Outcome:
    """What this installation gives for a row."""
    measured, reason = None, ""
    try:
        measured = MEASURES[row.kind](row, machine)
    except (NotHere, JobFailed) as error:
        reason = str(error)
    off = None if measured is None else abs(measured - row.figure)
    status: Status = "not run" if off is None else "passed" if off <= row.tolerance + ROUNDING else "failed"
    return Outcome(row.name, status, row.figure, row.tolerance, measured, reason, row.source)


def _labels(row: LabelFigure, machine: Machine) -> float:
    if machine.gsm8k is None or not (machine.gsm8k / SOLUTIONS).is_file():
        raise NotHere(f"{SOLUTIONS} is not here; set ASSAY_GSM8K to the folder of GSM8K's files")
    return agreement(row, machine.gsm8k)


def _model(row: ModelFigure, machine: Machine) -> float:
    here = f"lm-eval-{version('lm_eval')}"
    if row.harness_version != here:
        raise NotHere(f"{row.harness_version} is not installed here, but {here}")
    return measure(row, model_folder(row), machine.cache)


def model_folder(row: ModelFigure) -> Path:
    """The model's files in the cache of the hub. Raises NotHere."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(row.model, "config.json", revision=row.revision)
    if not isinstance(found, str):
        mend = f"hf download {row.model} --revision {row.revision}"
        raise NotHere(f"{row.model} at {row.revision[:12]} is not in this machine's cache; {mend}")
    return Path(found).parent


def measure(row: ModelFigure, folder: Path, cache: Path) -> float:
    """The row's metric of the model in a folder. Raises JobFailed or NotHere where the benchmark's data is not here."""
    from assay_evaluator.engines import open_engine
    from assay_evaluator.progress import EvaluationProgress

    entry = catalogue().get(row.benchmark)
    of_own = entry is not None and not entry.brings_data
    rows = _rows(entry.data) if entry is not None and of_own else None
    lm = open_engine("transformers", EngineSettings(folder=folder), EvaluationProgress(lambda _: None))
    name = entry.benchmark if entry is not None else row.benchmark
    scored = _of_harness(lm, name, row, cache) if rows is None else _of_rows(lm, name, row, rows)
    return scored.metrics[row.metric].value


def _of_harness(lm: Any, name: str, row: ModelFigure, cache: Path) -> Scored:
    from assay_evaluator.harness import evaluate_harness
    from assay_evaluator.task_names import task_manager

    parameters = NamedTaskParameters.model_validate(row.parameters)
    return evaluate_harness(lm, task_manager(cache / "harness"), name, parameters, None, limit=None, seed=0)


def _of_rows(lm: Any, name: str, row: ModelFigure, rows: list[dict[str, Any]]) -> Scored:
    from assay_evaluator.benchmarks import BENCHMARKS
    from assay_evaluator.items import ordered_items
    from assay_evaluator.own import evaluate_own

    parameters = OWN_BENCHMARKS[name].parameters.model_validate(row.parameters)
    if not isinstance(parameters, OwnParameters) or OWN_BENCHMARKS[name].shows_images:
        raise NotHere(f"{name} is reproduced by an experiment: its images have to be kept in the object store")
    return evaluate_own(lm, name, BENCHMARKS[name](parameters), parameters, ordered_items(rows), limit=None, seed=0)


def _rows(data: HubData) -> list[dict[str, Any]]:
    """The rows of a data set's file in the cache of the hub. Raises NotHere."""
    import pyarrow.parquet as pq
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(data.hub, data.file or "", revision=data.revision, repo_type="dataset")
    if not isinstance(found, str):
        raise NotHere(f"{data.hub} is not in this machine's cache; {data.download.partition(' --local-dir')[0]}")
    if found.endswith(".parquet"):
        rows: list[dict[str, Any]] = pq.ParquetFile(found).read().to_pylist()
        return rows
    return [json.loads(line) for line in Path(found).read_text(encoding="utf-8").splitlines() if line]


def _reported(row: ReportedFigure, _: Machine) -> float:
    raise NotHere(f"it is of {row.what}")


MEASURES: dict[str, Callable[..., float]] = {"labels": _labels, "model": _model, "reported": _reported}
