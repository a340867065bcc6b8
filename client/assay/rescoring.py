"""Stored responses judged again, without a model: of a file, or of every arm and seed of an experiment.

Fetches samples and shows what the evaluator's package finds; never scores anything itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assay_schemas.results import EvalResult

from assay.errors import AssayError, NotFound
from assay.run import Run
from assay.store import Store

PACKAGE = "assay_evaluator"
SLOWEST_S = 3600


@dataclass(frozen=True)
class Wanted:
    """Which scorer with which options (`name=value` each), and the folder for new files, if any."""

    scorer: str
    options: Sequence[str] = ()
    output: Path | None = None


def rescore_files(files: Sequence[Path], wanted: Wanted) -> list[dict[str, Any]]:
    """What changes in each file. Raises AssayError where a file, the scorer or an option cannot be used."""
    if find_spec(PACKAGE) is None:
        raise AssayError("The evaluator's package is not installed here; install services/evaluator.")
    command = [sys.executable, "-m", f"{PACKAGE}.rescoring", *map(str, files), "--scorer", wanted.scorer]
    command += [part for option in wanted.options for part in ("--set", option)]
    command += ["--output", str(wanted.output)] if wanted.output else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=SLOWEST_S, check=False)
    if done.returncode:
        raise AssayError(done.stderr.strip() or f"re-scoring ended with code {done.returncode}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def rescore_run(run: Run, benchmark: str, wanted: Wanted, folder: Path) -> list[dict[str, Any]]:
    """The same for every evaluation of a benchmark, with its `arm` and `seed`; `folder` holds fetched files.

    Raises NotFound for a benchmark without results, and AssayError as above.
    """
    fetched: dict[str, tuple[str, int | None]] = {}
    ends = {end.key: end for end in run.result().ends}
    store = Store(run.settings)
    for replicate in run.plan().replicates:
        end = ends.get(replicate.evals.get(benchmark, ""))
        if end is None or end.result is None:
            continue
        manifest = EvalResult.model_validate_json(store.read_ref(end.result))
        seed = "" if replicate.seed is None else f"-{replicate.seed}"
        path = folder / f"{replicate.arm}{seed}.parquet"
        path.write_bytes(store.read_ref(manifest.samples))
        fetched[str(path)] = (replicate.arm, replicate.seed)
    if not fetched:
        raise NotFound(f"The experiment has no results of a benchmark {benchmark!r}.")
    changes = rescore_files([Path(path) for path in fetched], wanted)
    return [
        {"arm": fetched[change["file"]][0], "seed": fetched[change["file"]][1], **change, "file": None}
        for change in changes
    ]
