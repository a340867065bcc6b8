"""Evaluates any task of the harness by its name: single tasks, groups and tags, as lm-eval defines them.

Never changes a task but for the declared parameters; data comes from the hub, or from a snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from assay_chassis.job_service.failures import JobFailed
from assay_schemas.benchmarks import HarnessTaskParameters, TaskFileParameters
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import row_ids
from assay_schemas.jobs import ItemSplit
from assay_schemas.results import Sample
from lm_eval.api.task import Task
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory
from lm_eval.utils import handle_non_serializable
from PIL.Image import Image as Picture

from assay_evaluator.contamination.words import item_texts
from assay_evaluator.failures import bad_input
from assay_evaluator.harness_results import item_id, result_of
from assay_evaluator.items import ShownImage, order_key
from assay_evaluator.running import run_tasks
from assay_evaluator.scoring import Scored
from assay_evaluator.task_data import AtRevision, OverRows, Rows, building_with
from assay_evaluator.task_files import task_of_file, template_problems
from assay_evaluator.task_names import data_sets, runs_code


@dataclass(frozen=True)
class LoadedTasks:
    """Tasks by name, the groups that lm-eval averages them into (none for a single task), and for tasks over rows which
    of them each document was, by task."""

    name: str
    tasks: dict[str, Task]
    groups: dict[str, Any]
    places: dict[str, Sequence[int]] = field(default_factory=dict)


def evaluate_harness(
    lm: Any,
    manager: TaskManager | None,
    name: str,
    parameters: HarnessTaskParameters,
    rows: Rows | None,
    *,
    limit: int | None,
    seed: int,
    split: ItemSplit | None = None,
) -> Scored:
    """Samples and metrics of a task, group or tag; `limit` counts per task, as in lm-eval, in hash order.

    With `split`, only documents on its side count. `manager` knows the harness's own tasks; None for one of a file.
    Raises JobFailed where a task has none left.
    """
    if isinstance(parameters, TaskFileParameters):
        loaded = _of_file(name, parameters, rows)
    elif manager is None:
        raise bad_input("parameters.task: is missing; give the task's YAML")
    else:
        loaded = load_tasks(manager, name, rows, getattr(parameters, "revision", None))
    ids: dict[str, list[str]] = {}
    chosen: dict[str, list[int]] = {}
    for task_name, task in loaded.tasks.items():
        configure(task, parameters)
        ids[task_name] = document_ids(task)
        chosen[task_name] = first_by_order(ids[task_name], limit, split)
        if not chosen[task_name]:
            raise bad_input(f"inputs.split: {task_name} has no item to ask; change selection.share")
    with template_problems(), _missing_resources(name):
        logged = run_tasks(
            lm, loaded.tasks, groups=loaded.groups, samples=chosen, seed=seed, chat_template=parameters.chat_template
        )
    scored = result_of(lm, loaded.name, loaded.tasks, logged, ids)
    samples = in_rows(scored.samples, loaded, ids)
    return replace(scored, samples=samples, texts=asked_texts(loaded.tasks, ids, chosen))


def in_rows(samples: list[Sample], loaded: LoadedTasks, ids: Mapping[str, Sequence[str]]) -> list[Sample]:
    """The samples with the row that each one's document was, where tasks are over rows."""
    several = len(loaded.tasks) > 1
    rows = {
        item_id(name, document, several): row
        for name, places in loaded.places.items()
        for document, row in zip(ids[name], places, strict=True)
    }
    if not rows:
        return samples
    return [sample.model_copy(update={"item_index": rows[sample.item_id]}) for sample in samples]


@contextmanager
def _missing_resources(name: str) -> Iterator[None]:
    """Turns what nltk says of data that it has not got, a bare LookupError, into JobFailed."""
    try:
        yield
    except LookupError as error:
        if type(error) is not LookupError:
            raise
        raise bad_input(
            f"inputs.benchmark: {name} needs data of nltk that is not where evaluations run; there, run "
            "python -m nltk.downloader punkt_tab"
        ) from error


def _of_file(name: str, parameters: TaskFileParameters, rows: Rows | None) -> LoadedTasks:
    if not rows:
        raise bad_input("parameters.dataset: is missing or empty; give a file of items")
    with template_problems():
        return LoadedTasks(name, {name: task_of_file(name, parameters.task, rows)}, {})


def load_tasks(manager: TaskManager, name: str, rows: Rows | None, revision: str | None = None) -> LoadedTasks:
    """The tasks a name stands for, over these rows or the hub's data at `revision`, by default the catalogue's.

    Raises JobFailed when their data cannot be had, or they cannot be run here.
    """
    if runs_code(manager, name):
        raise bad_input(
            f"inputs.benchmark: {name} runs code that a model wrote, which needs a sandbox; use code over its rows"
        )
    factory = AtRevision(revision) if rows is None else OverRows(rows)
    if isinstance(factory, OverRows):
        factory.check(name, data_sets(manager, name))
    try:
        found = building_with(manager, factory).load(name)
    except ImportError as error:
        raise bad_input(
            f"inputs.benchmark: {name} needs a library that is not installed where evaluations run: {error}"
        ) from error
    except OSError as error:
        message = f"benchmarks.{name}: its data cannot be loaded: {error}; give parameters.dataset, or a way to the hub"
        raise JobFailed("data_unavailable", message + _brought(factory), retryable=True) from error
    tasks, groups = dict(found["tasks"]), dict(found.get("groups", {}))
    for task in tasks.values():
        _check_runnable(task)
    if not isinstance(factory, OverRows) or rows is None:
        return LoadedTasks(name, tasks, groups)
    for task in tasks.values():
        if getattr(task, "MULTIMODAL", False) and not any(map(_shows, rows)):
            raise bad_input(
                f"parameters.dataset: {name} shows images, and no row has one in image, or image_1 to image_9; give "
                "rows as the task's own data set has them"
            )
        task.fewshot_cfg.split = task.config.test_split
    return LoadedTasks(name, tasks, groups, {one: _places(task, factory) for one, task in tasks.items()})


def _brought(factory: TaskFactory) -> str:
    """How the data that was wanted is brought to a machine that has no way to the hub."""
    wanted = factory.wanted if isinstance(factory, AtRevision) else {}
    commands = [f"hf download {hub} --repo-type dataset --revision {commit}" for hub, commit in wanted.items()]
    return f" ({'; '.join(commands)})" if commands else ""


def _places(task: Task, factory: OverRows) -> Sequence[int]:
    """Which row each document was: the rows of its data set in their order, or by content where the task left some out.

    A document that no row is equal to any more has the place that it has in its task.
    """
    data = str(task.config.dataset_name or "")
    places = factory.places(data)
    if len(task.eval_docs) == len(places):
        return places
    by_content = dict(zip(content_ids(factory.part(data)), places, strict=True))
    return [by_content.get(document, place) for place, document in enumerate(document_ids(task))]


def _shows(row: Mapping[str, Any]) -> bool:
    return any(isinstance(value, ShownImage) for value in row.values())


def _check_runnable(task: Task) -> None:
    if getattr(task, "UNSAFE_CODE", False):
        raise bad_input(f"inputs.benchmark: {task.task_name} runs code that a model wrote; use code over its rows")


def configure(task: Task, parameters: HarnessTaskParameters) -> None:
    """Lay the parameters that were given over the task's own, as lm-eval's command line does.

    A task that declares 0 examples keeps 0, as there.
    """
    if parameters.num_fewshot is not None and task.get_config("num_fewshot") != 0:
        task.set_config(key="num_fewshot", value=parameters.num_fewshot)
    elif task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    if task.OUTPUT_TYPE == "generate_until" and (settings := generation_settings(parameters)):
        task.set_config(key="generation_kwargs", value=settings, update=True)


def generation_settings(parameters: HarnessTaskParameters) -> dict[str, Any]:
    """The given generation parameters in lm-eval's words."""
    settings: dict[str, Any] = {"max_gen_toks": parameters.max_tokens, "until": parameters.stop}
    settings["top_p"] = parameters.top_p
    if parameters.temperature is not None:
        settings |= {"temperature": parameters.temperature, "do_sample": parameters.temperature > 0}
    return {key: value for key, value in settings.items() if value is not None}


def asked_texts(
    tasks: Mapping[str, Task], ids: Mapping[str, Sequence[str]], chosen: Mapping[str, Sequence[int]]
) -> dict[str, tuple[str, ...]]:
    """The texts of every document that is asked, by the item id that its samples have."""
    return {
        item_id(name, ids[name][place], len(tasks) > 1): item_texts(task.eval_docs[place])
        for name, task in tasks.items()
        for place in chosen[name]
    }


def document_ids(task: Task) -> list[str]:
    """A stable id for each document of a task, from its content, in the task's order."""
    return content_ids(task.eval_docs)


def content_ids(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """A stable id for each, pictures by their content."""
    return row_ids([json.loads(json.dumps(dict(document), default=_in_json)) for document in documents])


def _in_json(value: Any) -> Any:
    """A picture by its content: as the harness writes one, it is another each time it is opened."""
    return sha256_hex(value.tobytes()) if isinstance(value, Picture) else handle_non_serializable(value)


def first_by_order(ids: Sequence[str], limit: int | None, split: ItemSplit | None = None) -> list[int]:
    """Places of the first `limit` ids by hash, of those on the split's side, ascending."""
    asked = [place for place, item_id in enumerate(ids) if split is None or split.holds(item_id)]
    ranked = sorted(asked, key=lambda place: order_key(ids[place]))
    return sorted(ranked[:limit])
