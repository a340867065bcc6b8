"""A task of the harness as its author wrote it in YAML: which of its keys count, and which are refused.

Templates and values alone: never a function, a script of the hub, or a file of its own.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from assay_schemas.algorithms import Closed

Scalar = str | int | float | bool
Unread = Any
"""A key that lm-eval's files have and that says nothing here: the rows are those of parameters.dataset."""


class FilterStep(Closed):
    """One of lm-eval's filters by name, with what its kind takes."""

    function: str
    regex_pattern: str | list[str] | None = None
    group_select: int | None = None
    fallback: str | None = None
    k: int | None = None
    regexes_to_ignore: list[str] | None = None
    ignore_case: bool | None = None
    ignore_punctuation: bool | None = None
    mapping_dict: dict[str, str] | None = None
    default_value: str | None = None


class NamedFilter(Closed):
    name: str
    filter: list[FilterStep] = Field(min_length=1)


class TaskMetric(Closed):
    """One of the metrics that lm-eval brings, by name; none is fetched from the hub."""

    metric: str
    aggregation: str | None = None
    higher_is_better: bool | None = None
    ignore_case: bool | None = None
    ignore_punctuation: bool | None = None
    ignore_numbers: bool | None = None
    regexes_to_ignore: list[str] | None = None


class HarnessTask(Closed):
    """What an lm-eval task file says of prompts and scores. Templates are Jinja over a row's columns."""

    output_type: Literal["generate_until", "loglikelihood", "loglikelihood_rolling", "multiple_choice"] = (
        "generate_until"
    )
    doc_to_text: str = ""
    doc_to_target: str | int
    doc_to_choice: str | list[str] | None = None
    description: str | None = None
    target_delimiter: str | None = None
    fewshot_delimiter: str | None = None
    gen_prefix: str | None = None
    num_fewshot: int | None = Field(default=None, ge=0, le=64)
    repeats: int | None = Field(default=None, ge=1, le=1024)
    generation_kwargs: dict[str, Scalar | list[str]] | None = None
    filter_list: list[NamedFilter] | None = None
    metric_list: list[TaskMetric] | None = None
    task: Unread = Field(default=None, exclude=True)
    task_alias: Unread = Field(default=None, exclude=True)
    tag: Unread = Field(default=None, exclude=True)
    metadata: Unread = Field(default=None, exclude=True)
    dataset_path: Unread = Field(default=None, exclude=True)
    dataset_name: Unread = Field(default=None, exclude=True)
    dataset_kwargs: Unread = Field(default=None, exclude=True)
    training_split: Unread = Field(default=None, exclude=True)
    validation_split: Unread = Field(default=None, exclude=True)
    test_split: Unread = Field(default=None, exclude=True)
    fewshot_split: Unread = Field(default=None, exclude=True)

    def written(self) -> dict[str, Any]:
        """What was given, as lm-eval reads it."""
        found: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return found
