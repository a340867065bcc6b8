"""From what lm-eval logged of its own tasks to samples and metrics, one leading.

Pure over values of the harness; never runs anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assay_schemas.results import Metric, Sample
from lm_eval.api.metrics import mean
from lm_eval.api.task import Task
from lm_eval.utils import handle_non_serializable

from assay_evaluator.engines.base import UNKNOWN
from assay_evaluator.running import (
    LogEntry,
    entry_failed,
    failure_of,
    generations_of,
    prompt_of,
    task_metrics,
    tokens_over,
)
from assay_evaluator.scoring import Scored, failed_sample, item_value

MetricKey = tuple[str, str]
NO_FILTER = "none"


def label(key: MetricKey) -> str:
    """A metric's name in results: lm-eval's, with the filter where the task has named ones."""
    name, filter_name = key
    return name if filter_name == NO_FILTER else f"{name},{filter_name}"


def item_id(task_name: str, document_id: str, several: bool) -> str:
    """A document's id among all items: with its task's name where there are several tasks."""
    return f"{task_name}/{document_id}" if several else document_id


def result_of(lm: Any, name: str, tasks: Mapping[str, Task], logged: Any, ids: Mapping[str, Sequence[str]]) -> Scored:
    """Every document's sample and every metric. What leads the first task leads."""
    several = len(tasks) > 1
    samples: list[Sample] = []
    metrics: dict[str, Metric] = {}
    primary = ""
    for task_name, task in tasks.items():
        entries = logged["samples"][task_name]
        key = _primary(task, entries)
        primary = primary or label(key)
        named = [item_id(task_name, document, several) for document in ids[task_name]]
        samples += _samples(lm, entries, key, named, f"lm-eval {task_name}/{task.VERSION} {label(key)}")
        own = {label(found): metric for found, metric in task_metrics(task, entries).items()}
        metrics |= {f"{task_name}.{found}" if several else found: metric for found, metric in own.items()}
    if several:
        metrics[primary] = _overall(logged["results"].get(name, {}), primary, samples, metrics)
    return Scored(primary, metrics, samples)


def _primary(task: Task, entries: Sequence[LogEntry]) -> MetricKey:
    """The metric that leads, of the first filter: one that is the mean of its items' numbers, where there is one."""
    first = [entry for entry in entries if entry["filter"] == entries[0]["filter"]]
    numbers = [name for name in first[0]["metrics"] if all(item_value(entry[name]) is not None for entry in first)]
    means = [name for name in numbers if task.aggregation().get(name) is mean]
    return (means + numbers + first[0]["metrics"])[0], first[0]["filter"]


def _overall(
    group: Mapping[str, Any], primary: str, samples: Sequence[Sample], metrics: Mapping[str, Metric]
) -> Metric:
    """A group's leading metric: lm-eval's own average where it has one and nothing failed, else the items' mean."""
    higher = all(metric.higher_is_better for name, metric in metrics.items() if name.endswith(f".{primary}"))
    scores = [sample.score for sample in samples if sample.score is not None]
    averaged = group.get(primary if "," in primary else f"{primary},{NO_FILTER}")
    if isinstance(averaged, int | float) and len(scores) == len(samples):
        value = float(averaged)
    else:
        value = sum(scores) / max(1, len(scores))
    return Metric(value=value, higher_is_better=higher, items=len(scores))


def _samples(lm: Any, entries: Sequence[LogEntry], key: MetricKey, ids: Sequence[str], scorer: str) -> list[Sample]:
    leading = [entry for entry in entries if entry["filter"] == key[1]]
    others: dict[int, dict[str, Any]] = {}
    for entry in entries:
        values = {label((name, entry["filter"])): entry[name] for name in entry["metrics"]}
        others.setdefault(entry["doc_id"], {}).update(values)
    samples = [_sample(lm, entry, key[0], ids[entry["doc_id"]], others[entry["doc_id"]]) for entry in leading]
    return [sample.model_copy(update={"scorer": scorer}) for sample in samples]


def _sample(lm: Any, entry: LogEntry, metric: str, item_id: str, values: Mapping[str, Any]) -> Sample:
    prompt, target, place = prompt_of(entry), _text(entry["target"]), entry["doc_id"]
    if entry_failed(entry):
        return failed_sample(item_id, place, failure_of(entry), prompt, target)
    generation = next(iter(generations_of(lm, entry)), UNKNOWN)
    responses = [response for requested in entry["resps"] for response in requested]
    generated = isinstance(responses[0], str)
    extracted = entry["filtered_resps"][0] if generated else None
    details = {**values} if generated else {**values, "responses": responses}
    if over := tokens_over(lm, entry):
        details["prompt_tokens_cut"] = over
    return Sample(
        item_id=item_id,
        item_index=place,
        prompt=prompt,
        target=target,
        response=responses[0] if generated else "",
        extracted=None if extracted is None else _text(extracted),
        score=item_value(entry[metric]),
        tokens=generation.tokens,
        finish_reason=generation.finish_reason,
        logprob=generation.logprob,
        token_ids=generation.token_ids,
        token_logprobs=generation.token_logprobs,
        details=json.dumps(details, default=handle_non_serializable, ensure_ascii=False),
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=handle_non_serializable, ensure_ascii=False)
