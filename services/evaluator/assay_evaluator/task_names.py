"""The harness's index of its tasks, kept in a file: reading it takes milliseconds, making it many seconds.

Never changes what a name means: the file holds, per harness version, what lm-eval's own index says.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import Entry, Kind
from lm_eval.tasks._yaml_loader import load_yaml

from assay_evaluator.task_index import TaskFiles

HARNESS_FOLDER = Path(lm_eval.tasks.__file__).parent


def task_manager(cache: Path) -> TaskManager:
    """A task manager that knows every task of the harness, from the index file under `cache` where there is one."""
    path = cache / f"lm-eval-{version('lm_eval')}.json"
    try:
        entries = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        entries = [_row(entry) for entry in TaskFiles(HARNESS_FOLDER).index().values()]
        _write(path, entries)
    manager = TaskManager(include_defaults=False)
    manager.task_index.update({entry.name: entry for entry in map(_entry, entries)})
    return manager


def data_sets(manager: TaskManager, name: str) -> frozenset[str]:
    """The data sets of the tasks that a name stands for, by what each calls its own; known before any is loaded."""
    entry = manager.task_index[name]
    if entry.kind is Kind.TAG:
        return frozenset().union(*(data_sets(manager, one) for one in entry.tags if one in manager.task_index))
    config = {} if entry.yaml_path is None else load_yaml(entry.yaml_path, resolve_func=False)
    if entry.kind is not Kind.GROUP:
        return frozenset({str(config.get("dataset_name") or "")})
    below = [one if isinstance(one, str) else one.get("group", one.get("task")) for one in config.get("task", ())]
    return frozenset().union(*(data_sets(manager, one) for one in below if one in manager.task_index))


def runs_code(manager: TaskManager, name: str) -> bool:
    """Whether the task executes what the model writes; known before anything of the task is loaded."""
    path = manager.task_index[name].yaml_path
    return path is not None and bool(load_yaml(path, resolve_func=False).get("unsafe_code", False))


def _row(entry: Entry) -> list[Any]:
    path = None if entry.yaml_path is None else str(entry.yaml_path.relative_to(HARNESS_FOLDER))
    return [entry.name, entry.kind.name, path, sorted(entry.tags)]


def _entry(row: list[Any]) -> Entry:
    name, kind, path, tags = row
    yaml_path = None if path is None else Path(f"{HARNESS_FOLDER}/{path}")
    return Entry(name=name, kind=Kind[kind], yaml_path=yaml_path, tags=set(tags))


def _write(path: Path, rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(rows))
    temporary.replace(path)
