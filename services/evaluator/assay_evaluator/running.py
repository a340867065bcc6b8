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
    chat_template: bool = False,
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
        _check_sight(lm, task)
    if chat_template and not lm.has_chat_template:
        raise bad_input(
            "parameters.chat_template: the model has no chat template; set it to false, or save the model's tokenizer "
            "(or processor) with one; of an endpoint, use its chat interface"
        )
    loaded = {"tasks": dict(tasks), "groups": dict(groups or {})}
    return evaluate(
        lm,
        loaded,
        limit=limit,
        samples=samples,
        bootstrap_iters=0,
        log_samples=True,
        apply_chat_template=chat_template,
    )


def _check_sight(lm: Any, task: Task) -> None:
    """Raises JobFailed where a task shows what the engine cannot take."""
    if getattr(task, "MULTIMODAL", False) and task.config.doc_to_audio is not None:
        raise bad_input(f"inputs.benchmark: {task.task_name} has sound, which no engine here takes; leave it out")
    if getattr(task, "MULTIMODAL", False) and not getattr(lm, "MULTIMODAL", False):
        raise bad_input(
            f"inputs.benchmark: {task.task_name} shows images, and this model on this engine takes none; use the "
            "engine transformers with a model that sees (its config.json has vision_config), or an endpoint that "
            "declares images"
        )


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


def tokens_over(lm: Any, entry: LogEntry) -> int:
    """How many tokens of a prompt the harness left out, from its beginning, so that there was room for an answer.

    0 where nothing was generated, and for an engine that does not tokenize: an endpoint refuses such a prompt.
    """
    prompt, *rest = entry["arguments"][0]
    encode = getattr(lm, "tok_encode", None)
    if encode is None or len(rest) != 1 or not isinstance(rest[0], dict):
        return 0
    room = int(lm.max_length - normalize_gen_kwargs(rest[0], lm.max_gen_toks)["max_gen_toks"])
    if len(prompt.encode()) < room:  # no token is shorter than a byte, but for one that begins the text
        return 0
    return max(0, len(encode(prompt)) - room)


def fail_cut_prompts(lm: Any, entries: Sequence[LogEntry]) -> None:
    """Marks as failed what was asked with a prompt that the model's context cannot hold beside the answer."""
    for entry in entries:
        if over := tokens_over(lm, entry):
            reason = f"the prompt is {over} tokens too long for the model's context beside the answer; shorten it, or "
            entry["resps"] = [[FailedText(reason + "lower parameters.max_tokens or num_fewshot")]]


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
