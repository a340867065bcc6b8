"""Makes a task of the harness from what its YAML file says, over the rows of a snapshot.

Its templates are rendered in Jinja's sandbox; never a function, a download or a metric from the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import lm_eval.utils
from assay_schemas.task_files import HarnessTask
from datasets import Dataset
from jinja2 import BaseLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lm_eval.api.registry import AGGREGATION_REGISTRY, FILTER_REGISTRY, METRIC_REGISTRY
from lm_eval.api.task import ConfigurableTask

from assay_evaluator.failures import bad_input

SPLIT = "test"
FIELD = "parameters.task"


class TaskOfFile(ConfigurableTask):  # type: ignore[misc]
    """The task over these rows; nothing is downloaded."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], config: dict[str, Any]) -> None:
        self._rows = [dict(row) for row in rows]
        super().__init__(config=config)

    def download(self, *_: Any, **__: Any) -> None:
        self.dataset = {SPLIT: Dataset.from_list(self._rows)}


def task_of_file(name: str, task: HarnessTask, rows: Sequence[Mapping[str, Any]]) -> ConfigurableTask:
    """Raises JobFailed for filters, metrics and aggregations that the harness has not got."""
    _check_names(task)
    # Templates come from whoever wrote the experiment, and the harness renders them with all of Python in reach.
    sandbox = ImmutableSandboxedEnvironment(loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True)
    sandbox.filters["regex_replace"] = lm_eval.utils.regex_replace
    lm_eval.utils.env = sandbox
    return TaskOfFile(rows, {**task.written(), "task": name, "test_split": SPLIT, "fewshot_split": SPLIT})


@contextmanager
def template_problems() -> Iterator[None]:
    """Turns what a template cannot be rendered for into JobFailed."""
    try:
        yield
    except TemplateError as error:
        raise bad_input(f"{FIELD}: a template cannot be rendered: {error}; look at the rows' columns") from error


def _check_names(task: HarnessTask) -> None:
    filters = [step.function for one in task.filter_list or () for step in one.filter]
    metrics = [one.metric for one in task.metric_list or ()]
    aggregations = [one.aggregation for one in task.metric_list or () if one.aggregation is not None]
    known = {"filter": FILTER_REGISTRY, "metric": METRIC_REGISTRY, "aggregation": AGGREGATION_REGISTRY}
    for kind, names in (("filter", filters), ("metric", metrics), ("aggregation", aggregations)):
        for name in names:
            if name not in known[kind] or name == "custom":
                able = ", ".join(sorted(set(known[kind]) - {"custom"}))
                raise bad_input(f"{FIELD}: {name!r} is no {kind} that the harness has; use {able}")
