"""One attempt at an evaluation: a request in, a result manifest in the object store out.

Runs in a process of its own; never talks to the broker, and leaves no manifest unless all of it succeeded.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay_chassis.job_service.records import write_manifest
from assay_chassis.object_store.base import ObjectStore
from assay_schemas.artifacts import result_prefix
from assay_schemas.benchmarks import OWN_BENCHMARKS, BenchmarkParameters, HarnessTaskParameters
from assay_schemas.jobs import EvalRequest, Usage
from assay_schemas.results import EvalResult

from assay_evaluator.benchmarks import BENCHMARKS
from assay_evaluator.engines import ENGINES, open_engine
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.failures import bad_input, classified
from assay_evaluator.inputs import model_folder, read_rows
from assay_evaluator.items import ordered_items
from assay_evaluator.samples import MEDIA_TYPE, samples_to_parquet
from assay_evaluator.scoring import Scored
from assay_evaluator.settings import EvaluatorSettings

if TYPE_CHECKING:
    from assay_chassis.compute.context import JobContext

LIBRARIES = ("lm_eval", "torch", "transformers", "tokenizers", "datasets", "numpy")
Report = Callable[[dict[str, Any]], None]
