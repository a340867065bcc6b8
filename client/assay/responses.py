"""Responses of control and arms side by side, joined by item id, from the samples in the object store.

Never samples: every item that has a response is there, and what is missing stays empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd
from assay_schemas.experiments import CONTROL
from assay_schemas.results import EvalResult, ExperimentResult, Plan, PlannedBenchmark, TrainingResult

from assay.errors import NotFound
from assay.store import Store

KEYS = ["item_id", "sample_index"]


def responses(plan: Plan, result: ExperimentResult, store: Store, benchmark: str, *, flips: bool) -> pd.DataFrame:
    """One row for each item, sample, arm and seed, with control's response and score beside it.

    Columns: item_id, sample_index, prompt, target, arm, seed, response, extracted, score,
    control_response, control_score. With `flips`, only rows whose score differs from control's,
    the losses first. Raises NotFound for a benchmark the experiment does not have.
    """
    planned = _planned(plan, benchmark)
    frames = _frames(plan, result, store, benchmark)
    control = next((frame for frame in frames if (frame["arm"] == CONTROL).all()), None)
    arms = [frame for frame in frames if frame is not control]
    if control is None or not arms:
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    beside = control[[*KEYS, "response", "score"]].rename(
        columns={"response": "control_response", "score": "control_score"}
    )
    joined = pd.concat(arms, ignore_index=True).merge(beside, on=KEYS, how="left")
    if not flips:
        return joined
    change = (joined["score"] - joined["control_score"]) * (1 if planned.higher_is_better else -1)
    changed = joined[change.notna() & (change != 0)]
    return changed.assign(change=change).sort_values(["change", "item_id", "arm", "seed"], ignore_index=True)


def samples(plan: Plan, result: ExperimentResult, store: Store, benchmark: str) -> pd.DataFrame:
    """Every row of every replicate's samples, control's too, with all their columns and arm and seed before them.

    Raises NotFound for a benchmark the experiment does not have.
    """
    _planned(plan, benchmark)
    frames = [
        table.assign(arm=arm, seed=seed)[["arm", "seed", *table.columns]]
        for arm, seed, table in _tables(plan, result, store, benchmark)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def curves(plan: Plan, result: ExperimentResult, store: Store) -> pd.DataFrame:
    """What every training run logged, a row a step: arm, seed, step, loss and the algorithm's own metrics."""
    ends = {end.key: end for end in result.ends}
    frames = []
    for replicate in plan.replicates:
        end = ends.get(replicate.training or "")
        if end is None or end.result is None:
            continue
        manifest = TrainingResult.model_validate_json(store.read_ref(end.result))
        if manifest.metrics is not None:
            records = [json.loads(line) for line in store.read_ref(manifest.metrics).splitlines() if line.strip()]
            flat = pd.DataFrame([{**one, **one.pop("metrics", {})} for one in records])
            frames.append(flat.assign(arm=replicate.arm, seed=replicate.seed)[["arm", "seed", *flat.columns]])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _planned(plan: Plan, benchmark: str) -> PlannedBenchmark:
    """The benchmark of that id. Raises NotFound, with those that the experiment has."""
    try:
        return plan.benchmark(benchmark)
    except KeyError:
        names = ", ".join(one.id for one in plan.benchmarks)
        raise NotFound(f"The experiment has no benchmark {benchmark!r}; it has {names}.") from None


def _tables(
    plan: Plan, result: ExperimentResult, store: Store, benchmark: str
) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Arm, seed (-1 for control) and samples of every replicate that has some."""
    ends = {end.key: end for end in result.ends}
    for replicate in plan.replicates:
        end = ends.get(replicate.evals.get(benchmark, ""))
        if end is not None and end.result is not None:
            manifest = EvalResult.model_validate_json(store.read_ref(end.result))
            seed = -1 if replicate.seed is None else replicate.seed
            yield replicate.arm, seed, store.read_table(manifest.samples).to_pandas()


def _frames(plan: Plan, result: ExperimentResult, store: Store, benchmark: str) -> list[pd.DataFrame]:
    columns = [*KEYS, "prompt", "target", "response", "extracted", "score"]
    return [table[columns].assign(arm=arm, seed=seed) for arm, seed, table in _tables(plan, result, store, benchmark)]
