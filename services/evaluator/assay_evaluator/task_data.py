"""Where the harness's tasks have their data: rows of a snapshot, or the hub's at a fixed revision.

Changes nothing else of a task.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from assay_schemas.catalogue import pinned_revisions
from datasets import Dataset, Image
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import Entry, Kind

from assay_evaluator.failures import bad_input
from assay_evaluator.items import ShownImage

Rows = Sequence[Mapping[str, Any]]
PART_COLUMNS = ("config", "subject", "type", "task", "language")
"""Columns that may say to which of a group's data sets a row belongs, the first that does."""


class EverySplit(dict[str, Any]):
    """A data set whose every split is the same snapshot, whatever the task calls it."""

    def __init__(self, rows: Dataset) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, split: str) -> Any:
        return self._rows


class OverRows(TaskFactory):  # type: ignore[misc]
    """Builds tasks over a snapshot: each of a group over its own part of it, where rows say whose they are."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = with_pictures(rows)
        self._parts = parts_of(rows)

    def _load_full_config(self, entry: Entry, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        if entry.kind in (Kind.TASK, Kind.PY_TASK):
            rows = self.part(str(config.get("dataset_name") or ""))
            config |= {"custom_dataset": lambda **_: EverySplit(rows), "dataset_kwargs": None}
        return config

    def places(self, name: str) -> Sequence[int]:
        """The rows of the data set `name`; all of them where no row says that it is of any such."""
        everything = range(len(self._rows))
        return self._parts.get(plain(name), everything) if name else everything

    def part(self, name: str) -> Dataset:
        return self._rows.select(self.places(name))

    def check(self, group: str, data_sets: Collection[str]) -> None:
        """Raises JobFailed where a group's tasks have several data sets, and no row says that it is of one of them."""
        missing = sorted(name for name in data_sets if plain(name) not in self._parts)
        if len(data_sets) < 2 or not missing:
            return
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise bad_input(
            f"parameters.dataset: {group} is a group of tasks with a data set each, and no row says that it is of "
            f"{shown}; name it in a column {' or '.join(PART_COLUMNS)}, or ask for single tasks"
        )


class AtRevision(TaskFactory):  # type: ignore[misc]
    """Builds tasks over the hub's data at the given revision, else at that which the catalogue fixes for it."""

    def __init__(self, revision: str | None) -> None:
        super().__init__()
        self._revision = revision
        self.wanted: dict[str, str] = {}
        """The data sets that were asked for at a fixed revision, with it."""

    def _load_full_config(self, entry: Entry, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        revision = self._revision or pinned_revisions().get(config.get("dataset_path", ""))
        if revision is not None and "dataset_path" in config:
            config["dataset_kwargs"] = {"revision": revision, **(config.get("dataset_kwargs") or {})}
            self.wanted[config["dataset_path"]] = revision
        return config


def building_with(manager: TaskManager, factory: TaskFactory) -> TaskManager:
    """A manager that knows the same tasks, and builds them so."""
    made = TaskManager(include_defaults=False)
    made.task_index.update(manager.task_index)
    made._factory = factory
    return made


def parts_of(rows: Rows) -> dict[str, list[int]]:
    """Places of rows by the data set that they say they are of; empty where none says so."""
    column = next((one for one in PART_COLUMNS if rows and isinstance(rows[0].get(one), str)), None)
    parts: dict[str, list[int]] = {}
    if column is None:
        return parts
    for place, row in enumerate(rows):
        parts.setdefault(plain(str(row.get(column))), []).append(place)
    return parts


def plain(name: str) -> str:
    """A data set's name without what spellings differ in: `Counting & Probability`, `counting_and_probability`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace("&", "and")).strip("_")


def with_pictures(rows: Rows) -> Dataset:
    """The rows as the harness has them from the hub: images as pictures, which are opened when they are looked at."""
    shown = {column for row in rows for column, value in row.items() if isinstance(value, ShownImage)}
    listed = [{column: _path(value) if column in shown else value for column, value in row.items()} for row in rows]
    made = Dataset.from_list(listed)
    for column in sorted(shown):
        made = made.cast_column(column, Image())
    return made


def _path(value: Any) -> str | None:
    return str(value.path) if isinstance(value, ShownImage) else None
