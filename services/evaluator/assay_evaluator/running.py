"""Runs tasks of the harness on an engine: lm-eval's evaluate, with its seeds and none of its paperwork.

Never computes a prompt, a likelihood or an aggregate of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from assay_schemas.results import Metric
from lm_eval.api.task import Task
from lm_eval.evaluator import evaluate
from lm_eval.models.utils import normalize_gen_kwargs

from assay_evaluator.engines.base import FailedText, FailedValue, Generation
from assay_evaluator.failures import bad_input
from assay_evaluator.scoring import aggregate, is_failed

LogEntry = dict[str, Any]
IMPOSSIBLE = "the model's context cannot hold what is to be scored, or it has no tokens; shorten the item"
RANDOM_SEED, OTHER_SEED = 0, 1234


def run_tasks(
    lm: Any,
    tasks: Mapping[str, Task],
    *,
    groups: Mapping[str, Any] | None = None,
    limit: int | None = None,
    samples: Mapping[str, list[int]] | None = None,
    seed: int = 0,
) -> Any:
    """lm-eval's results and every logged sample.

    Seed 0 sets the seeds that the `lm_eval` command line sets, so both draw the same few-shot examples.
    Sampled answers differ from its: here each batch has a seed of its own. Standard errors are left out: the
    verdict's statistics are the reporter's.
    """
    random.seed(RANDOM_SEED + seed)
    np.random.seed(OTHER_SEED + seed)
    torch.manual_seed(OTHER_SEED + seed)
    for task in tasks.values():
        task.set_fewshot_seed(OTHER_SEED + seed)
        _check_room(lm, task)
    loaded = {"tasks": dict(tasks), "groups": dict(groups or {})}
    return evaluate(lm, loaded, limit=limit, samples=samples, bootstrap_iters=0, log_samples=True)


def _check_room(lm: Any, task: Task) -> None:
    """Raises JobFailed when the longest response leaves no room for a prompt in the model's context."""
    if task.OUTPUT_TYPE != "generate_until":
        return
    longest = normalize_gen_kwargs(task.get_config("generation_kwargs") or {}, lm.max_gen_toks)["max_gen_toks"]
    if longest >= lm.max_length:
        raise bad_input(
            f"parameters.max_tokens: {longest} leaves no room for a prompt in the model's context of "
            f"{lm.max_length} tokens; lower it"
        )


def entry_failed(entry: LogEntry) -> bool:
    """Whether the engine could not compute what this entry needs."""
    return is_failed(entry["resps"])


def failure_of(entry: LogEntry) -> str:
    """Why an entry failed: the engine's own words, else that the model cannot hold it."""
    return _reason(entry["resps"]) or IMPOSSIBLE


def _reason(responses: Any) -> str:
    if isinstance(responses, FailedText | FailedValue):
        return responses.reason
    if isinstance(responses, list | tuple):
        return next((found for response in responses if (found := _reason(response))), "")
    return ""


def task_metrics(task: Task, entries: Sequence[LogEntry]) -> dict[tuple[str, str], Metric]:
    """Every metric of a task by (metric, filter), over the entries that did not fail."""
    higher, by = task.higher_is_better(), task.aggregation()
    values: dict[tuple[str, str], list[Any]] = {}
    for entry in entries:
        for name in entry["metrics"]:
            kept = values.setdefault((name, entry["filter"]), [])
            if not entry_failed(entry):
                kept.append(entry[name])
    mean: Callable[[Sequence[Any]], Any] = np.mean
    found = {key: aggregate(kept, by.get(key[0], mean), bool(higher.get(key[0], True))) for key, kept in values.items()}
    return {key: metric for key, metric in found.items() if metric is not None}


def prompt_of(entry: LogEntry) -> str:
    """The text the model was given; for whole texts there is none."""
    arguments = entry["arguments"][0]
    return str(arguments[0]) if len(arguments) > 1 else ""


def generations_of(lm: Any, entry: LogEntry) -> list[Generation]:
    """How an entry's generated responses ended; none where nothing was generated."""
    prompt, *rest = entry["arguments"][0]
    if not rest or not isinstance(rest[0], dict):
        return []
    generations: list[Generation] = lm.generations.take(prompt, rest[0], len(entry["resps"][0]))
    return generations
