"""Evaluates an own benchmark: its items as a task of the harness, held in memory.

Never scores anything itself: the benchmark's file says how, lm-eval does it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from assay_schemas.benchmarks import OwnParameters
from assay_schemas.datasets import CATEGORY_COLUMNS, CLUSTER_COLUMN
from assay_schemas.results import Metric, Sample
from datasets import Dataset
from lm_eval.api.task import ConfigurableTask

from assay_evaluator.benchmarks.base import Document, Logged, OwnBenchmark, UnusableItem
from assay_evaluator.contamination.words import item_texts
from assay_evaluator.examples import OfOtherClusters, check_enough
from assay_evaluator.failures import bad_input
from assay_evaluator.items import Item
from assay_evaluator.running import (
    entry_failed,
    fail_cut_prompts,
    failure_of,
    generations_of,
    prompt_of,
    run_tasks,
    task_metrics,
)
from assay_evaluator.scoring import Scored, failed_sample, in_item_order

SPLIT = "test"


class TaskInMemory(ConfigurableTask):  # type: ignore[misc]
    """A task of the harness whose only split is what it is given; nothing is downloaded or cached on disk."""

    def __init__(self, documents: Sequence[Document], config: dict[str, Any]) -> None:
        self._documents = list(documents)
        super().__init__(config=config)

    def download(self, *_: Any, **__: Any) -> None:
        self.dataset = {SPLIT: Dataset.from_list(self._documents)}


def evaluate_own(
    lm: Any,
    name: str,
    benchmark: OwnBenchmark,
    parameters: OwnParameters,
    items: Sequence[Item],
    *,
    limit: int | None,
    seed: int,
) -> Scored:
    """Samples and metrics of the first `limit` items; the others serve as examples only.

    Raises JobFailed when no item can be asked, or there are too few for the examples.
    """
    given, items = len(items), [item for item in items if parameters.takes(item.row)]
    if given and not items:
        raise bad_input(f"parameters: none of {given} rows is among those they ask for; {parameters.none_taken}")
    asked = items[:limit]
    usable, failures = _documents(benchmark, items if parameters.num_fewshot else asked)
    chosen = [item for item in asked if item.id in usable]
    if not chosen:
        first = next(iter(failures.values()), "there are none")
        raise bad_input(f"benchmarks.{name}: no item can be asked: {first}")
    clusters = _clusters(items, parameters)
    check_enough(parameters.num_fewshot, list(usable), clusters, [item.id for item in chosen])
    task = own_task(name, benchmark, parameters, list(usable.values()))
    if clusters:
        task.sampler = OfOtherClusters(list(usable.values()), clusters)
    ran = run_tasks(lm, {name: task}, limit=len(chosen), seed=seed, chat_template=parameters.chat_template)
    logged = ran["samples"][name]
    fail_cut_prompts(lm, logged)
    failed = [item for item in asked if item.id in failures]
    samples = [_with_kind(failed_sample(item.id, item.index, failures[item.id]), item) for item in failed]
    for item, entry in zip(chosen, logged, strict=True):
        samples += [_with_kind(sample, item) for sample in _samples(lm, benchmark, item, usable[item.id], entry)]
    metrics = _metrics(benchmark, task, logged, clustered=any(item.cluster for item in asked))
    texts = {item.id: item_texts(item.row) for item in asked}
    return Scored(benchmark.primary, metrics, in_item_order(samples), texts)


def _metrics(
    benchmark: OwnBenchmark, task: ConfigurableTask, logged: list[dict[str, Any]], *, clustered: bool
) -> dict[str, Metric]:
    """The task's metrics under the benchmark's own names. Intervals take items for independent: where some hang
    together they would be too narrow, and are left out."""
    found = {key: metric for (key, _), metric in task_metrics(task, logged).items()}
    if clustered:
        found = {key: metric.model_copy(update={"interval": None}) for key, metric in found.items()}
    return {benchmark.renamed.get(key, key): metric for key, metric in found.items()}


def own_task(
    name: str, benchmark: OwnBenchmark, parameters: OwnParameters, documents: Sequence[Document]
) -> ConfigurableTask:
    """The task over these documents in their order. Raises JobFailed when they do not go together."""
    try:
        config = benchmark.task(documents)
    except UnusableItem as error:
        raise bad_input(f"benchmarks.{name}: {error}") from error
    return TaskInMemory(
        documents,
        {
            "task": name,
            "test_split": SPLIT,
            "fewshot_split": SPLIT,
            "num_fewshot": parameters.num_fewshot,
            **config,
        },
    )


def _clusters(items: Sequence[Item], parameters: OwnParameters) -> dict[str, str]:
    """The clusters that examples must keep away from, by item id; none where there are no examples."""
    if not parameters.num_fewshot or parameters.examples_from == "other_items":
        return {}
    return {item.id: item.cluster for item in items if item.cluster is not None}


def _documents(benchmark: OwnBenchmark, items: Sequence[Item]) -> tuple[dict[str, Document], dict[str, str]]:
    """Documents by item id in the items' order, and for the others why they cannot be asked."""
    usable: dict[str, Document] = {}
    failures: dict[str, str] = {}
    for item in items:
        try:
            usable[item.id] = benchmark.document(item)
        except UnusableItem as error:
            failures[item.id] = str(error)
    return usable, failures


def _samples(lm: Any, benchmark: OwnBenchmark, item: Item, document: Document, entry: dict[str, Any]) -> list[Sample]:
    prompt = prompt_of(entry)
    if entry_failed(entry):
        return [failed_sample(item.id, item.index, failure_of(entry), prompt, str(document.get("target", "")))]
    logged = Logged(prompt, entry["resps"], {name: entry[name] for name in entry["metrics"]}, generations_of(lm, entry))
    return benchmark.samples(item, document, logged)


def _with_kind(sample: Sample, item: Item) -> Sample:
    """The sample with what its item's row says of the item's kind, by which reports split differences, and of what it
    hangs together with."""
    kind = {name: item.row[name] for name in CATEGORY_COLUMNS if isinstance(item.row.get(name), str | int)}
    known = {**({} if sample.error else kind), **({CLUSTER_COLUMN: item.cluster} if item.cluster else {})}
    if not known:
        return sample
    details = json.dumps({**known, **json.loads(sample.details or "{}")}, ensure_ascii=False)
    return sample.model_copy(update={"details": details})
