"""The tables of the experiments looked at last: made from the object store when first asked for, then kept on disk.

An ended experiment's responses never change, so that nothing here is ever out of date.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from assay_chassis.app import ServiceApp
from assay_chassis.object_store import ObjectNotFound
from assay_schemas.artifacts import experiment_prefix
from assay_schemas.benchmarks import definition_of
from assay_schemas.results import EvalResult, ExperimentResult, Plan, PlannedBenchmark

from assay_reporter.web.response_table import ResponseTable

K = TypeVar("K")
V = TypeVar("V")
KEPT = 6
PATIENCE_S = 3.0


@dataclass(frozen=True)
class Ended:
    """An ended experiment, as far as its responses are concerned."""

    plan: Plan
    result: ExperimentResult

    def benchmark(self, name: str) -> PlannedBenchmark | None:
        return next((one for one in self.plan.benchmarks if one.id == name), None)


class ResponseTables:
    """Makes one table at a time, outside the event loop, and keeps the last few."""

    def __init__(self, app: ServiceApp) -> None:
        self._app = app
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._tables: OrderedDict[tuple[str, str], ResponseTable] = OrderedDict()
        self._making: dict[tuple[str, str], asyncio.Task[ResponseTable]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def ended(self, experiment_id: str) -> Ended | None:
        """The experiment's plan and result, or None while it has not ended."""
        if experiment_id not in self._ended:
            try:
                data = await self._app.store.get_bytes(f"{experiment_prefix(experiment_id)}/result.json")
            except ObjectNotFound:
                return None
            result = ExperimentResult.model_validate_json(data)
            plan = Plan.model_validate_json(await self._app.store.get_bytes(result.plan))
            self._ended[experiment_id] = Ended(plan, result)
        return _latest(self._ended, experiment_id)

    async def table(self, experiment_id: str, ended: Ended, benchmark: PlannedBenchmark) -> ResponseTable | None:
        """The table; None while it is still being made, which goes on whether anybody waits for it or not."""
        key = (experiment_id, benchmark.id)
        if key not in self._tables:
            if key not in self._making:
                self._making[key] = asyncio.create_task(self._made(experiment_id, ended, benchmark))
            done, _ = await asyncio.wait({self._making[key]}, timeout=PATIENCE_S)
            if not done:
                return None
            self._keep(key)
        return _latest(self._tables, key)

    def _keep(self, key: tuple[str, str]) -> None:
        """Takes in a finished table; raises what went wrong in the making, once, so that it can be tried again."""
        task = self._making.pop(key, None)
        if task is not None:
            self._tables[key] = task.result()
        while len(self._tables) > KEPT:
            self._tables.popitem(last=False)[1].close()

    async def _made(self, experiment_id: str, ended: Ended, benchmark: PlannedBenchmark) -> ResponseTable:
        async with self._one_at_a_time:
            return await self._make(experiment_id, ended, benchmark)

    async def _make(self, experiment_id: str, ended: Ended, benchmark: PlannedBenchmark) -> ResponseTable:
        table = await asyncio.to_thread(ResponseTable, self._file(experiment_id, benchmark.id))
        ends = {end.key: end for end in ended.result.ends}
        higher_is_better = benchmark.higher_is_better
        for number, replicate in enumerate(ended.plan.replicates):
            end = ends.get(replicate.evals.get(benchmark.id, ""))
            if end is None or end.outcome != "succeeded" or end.result is None:
                continue
            manifest = EvalResult.model_validate_json(await self._app.store.get_bytes(end.result))
            if not benchmark.primary:
                higher_is_better = manifest.metrics[manifest.primary].higher_is_better
            data = await self._app.store.get_bytes(manifest.samples)
            who = replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"
            await asyncio.to_thread(_add, table, number, replicate.arm, who, data)
        definition = definition_of(benchmark.name, benchmark.harness_version)
        may_flip = definition is None or not definition.smallest_effect_is_relative
        await asyncio.to_thread(table.arrange, higher_is_better=higher_is_better, may_flip=may_flip)
        return table

    def _file(self, experiment_id: str, benchmark: str) -> Path:
        """A file of this process alone; the folder goes with the process."""
        if self._folder is None:
            self._app.settings.state_dir.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(prefix="responses-", dir=self._app.settings.state_dir)
        place = Path(self._folder.name) / f"{experiment_id}-{abs(hash(benchmark)):x}.duckdb"
        place.unlink(missing_ok=True)
        return place


def _add(table: ResponseTable, number: int, arm: str, who: str, data: bytes) -> None:
    from pyarrow import parquet

    file = parquet.ParquetFile(io.BytesIO(data))
    columns = ["item_id", "sample_index", "prompt", "target", "response", "score"]
    later = [name for name in ("error", "images") if name in file.schema_arrow.names]
    table.add(number, arm, who, file.read(columns=[*columns, *later]))


def _latest(kept: OrderedDict[K, V], key: K) -> V:
    kept.move_to_end(key)
    while len(kept) > KEPT * 4:
        kept.popitem(last=False)
    return kept[key]
