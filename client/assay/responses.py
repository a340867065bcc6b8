"""Responses of control and arms side by side, joined by item id, from the samples in the object store.

Never samples: every item that has a response is there, and what is missing stays empty.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from assay_schemas.experiments import CONTROL
from assay_schemas.results import EvalResult, ExperimentResult, Plan

from assay.errors import NotFound
from assay.store import Store

KEYS = ["item_id", "sample_index"]


def responses(plan: Plan, result: ExperimentResult, store: Store, benchmark: str, *, flips: bool) -> pd.DataFrame:
    """One row for each item, sample, arm and seed, with control's response and score beside it.

    Columns: item_id, sample_index, prompt, target, arm, seed, response, extracted, score,
    control_response, control_score. With `flips`, only rows whose score differs from control's,
    the losses first. Raises NotFound for a benchmark the experiment does not have.
    """
    names = [one.id for one in plan.benchmarks]
    if benchmark not in names:
        raise NotFound(f"The experiment has no benchmark {benchmark!r}; it has {', '.join(names)}.")
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
    higher = next(one.higher_is_better for one in plan.benchmarks if one.id == benchmark)
    change = (joined["score"] - joined["control_score"]) * (1 if higher else -1)
    changed = joined[change.notna() & (change != 0)]
    return changed.assign(change=change).sort_values(["change", "item_id", "arm", "seed"], ignore_index=True)


def _frames(plan: Plan, result: ExperimentResult, store: Store, benchmark: str) -> list[pd.DataFrame]:
    ends = {end.key: end for end in result.ends}
    frames = []
    for replicate in plan.replicates:
        end = ends.get(replicate.evals.get(benchmark, ""))
        if end is None or end.result is None:
            continue
        manifest = EvalResult.model_validate_json(store.read_ref(end.result))
        table: Any = store.read_table(manifest.samples).to_pandas()
        columns = [*KEYS, "prompt", "target", "response", "extracted", "score"]
        frames.append(table[columns].assign(arm=replicate.arm, seed=-1 if replicate.seed is None else replicate.seed))
    return frames
