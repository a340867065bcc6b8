"""Data of the harness's tasks: groups over one file of rows, and the hub's at the commit that the catalogue names."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from assay_schemas.benchmarks import harness_tasks
from assay_schemas.catalogue import CatalogueEntry, catalogue

pytestmark = pytest.mark.real
TASK = {
    "dataset_path": "somebody/colours",
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "{{question}}",
    "doc_to_choice": ["red", "blue"],
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
FILTER = "def keep(rows):\n    return rows.filter(lambda row: row['question'].startswith('b'))\n"
HUB = [entry for entry in catalogue().values() if entry.brings_data]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A harness that knows a group of two tasks with a data set each, and a task that leaves rows out."""
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("tasks")
    for name, data in (("first", "counting_and_probability"), ("second", "geometry")):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, "dataset_name": data, **TASK}))
    group = {"group": "both", "task": ["first", "second"]}
    group["aggregate_metric_list"] = [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}]
    (folder / "both.yaml").write_text(yaml.safe_dump(group))
    (folder / "words.py").write_text(FILTER)
    (folder / "some.yaml").write_text(yaml.safe_dump({"task": "some", **TASK}) + "process_docs: !function words.keep\n")
    return TaskManager(include_path=str(folder), include_defaults=False)


def row(question: str, kind: str) -> dict[str, Any]:
    return {"question": question, "answer": 0, "type": kind}


ROWS = [row("g1", "Geometry"), row("c1", "Counting & Probability"), row("g2", "Geometry"), row("g3", "Geometry")]


def loaded(manager: Any, name: str, rows: list[dict[str, Any]] | None) -> Any:
    from assay_evaluator.harness import load_tasks

    return load_tasks(manager, name, rows)


def test_each_task_of_a_group_has_the_rows_that_say_they_are_its(manager: Any) -> None:
    found = loaded(manager, "both", ROWS)
    asked = {name: [document["question"] for document in task.eval_docs] for name, task in found.tasks.items()}
    assert asked == {"first": ["c1"], "second": ["g1", "g2", "g3"]}
    assert {name: list(places) for name, places in found.places.items()} == {"first": [1], "second": [0, 2, 3]}
    assert list(found.groups) == ["both"]


def test_a_single_task_takes_its_own_rows_of_a_file_for_all(manager: Any) -> None:
    assert [document["question"] for document in loaded(manager, "first", ROWS).tasks["first"].eval_docs] == ["c1"]
    plain = [{"question": "x", "answer": 1}]
    assert len(loaded(manager, "first", plain).tasks["first"].eval_docs) == 1


@pytest.mark.parametrize("rows", [[{"question": "x", "answer": 1}], [ROWS[0], ROWS[2]]])
def test_a_group_whose_rows_do_not_say_whose_they_are_is_refused(manager: Any, rows: list[dict[str, Any]]) -> None:
    from assay_chassis.job_service import JobFailed

    with pytest.raises(JobFailed, match=r"no row says that it is of counting_and_probability.*name it in a column"):
        loaded(manager, "both", rows)


def test_a_task_whose_data_set_has_no_name_takes_every_row(manager: Any) -> None:
    rows = [{"question": "b", "answer": 0, "type": kind} for kind in ("", "x")]
    assert len(loaded(manager, "some", rows).tasks["some"].eval_docs) == 2


def test_a_document_keeps_its_row_where_a_task_leaves_rows_out(manager: Any) -> None:
    found = loaded(manager, "some", [{"question": text, "answer": 0} for text in ("a1", "b1", "a2", "b2")])
    assert found.places == {"some": [1, 3]}


def test_data_of_the_hub_is_asked_for_at_the_commit_of_the_catalogue_or_the_one_given(manager: Any) -> None:
    from assay_evaluator.task_data import AtRevision
    from assay_evaluator.task_names import HARNESS_FOLDER
    from lm_eval.tasks._index import Entry, Kind

    gsm8k = Entry(name="gsm8k", kind=Kind.TASK, yaml_path=HARNESS_FOLDER / "gsm8k" / "gsm8k.yaml")
    fixed = catalogue()["gsm8k"].data.revision
    assert AtRevision(None)._load_full_config(gsm8k)["dataset_kwargs"] == {"revision": fixed}
    assert AtRevision("1" * 40)._load_full_config(gsm8k)["dataset_kwargs"] == {"revision": "1" * 40}
    unknown = manager.task_index["first"]
    assert "dataset_kwargs" not in AtRevision(None)._load_full_config(unknown)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from assay_evaluator.task_names import task_manager

    return task_manager(tmp_path_factory.mktemp("cache"))


def test_every_task_group_and_tag_of_the_harness_can_be_named(index: Any) -> None:
    assert harness_tasks("lm-eval-0.4.13") == set(index.task_index)


@pytest.mark.parametrize("entry", HUB, ids=lambda entry: entry.name)
def test_what_the_catalogue_says_of_a_task_is_what_the_harness_has(index: Any, entry: CatalogueEntry) -> None:
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(index.task_index[_leaf(index, entry.benchmark)].yaml_path, resolve_func=False)
    settings = config.get("generation_kwargs") or {}
    said = {"num_fewshot": config.get("num_fewshot") or 0, "temperature": float(settings.get("temperature", 0.0))}
    said["max_tokens"] = settings.get("max_gen_toks")
    assert {name: said[name] for name in entry.parameters} == entry.parameters
    assert (config["dataset_path"], config["test_split"]) == (entry.data.hub, entry.data.split)
    filters = [one["name"] for one in config.get("filter_list", [])]
    metrics = [one["metric"] for one in config["metric_list"]]
    assert entry.metrics == ([f"{metric},{name}" for metric in metrics for name in filters] or metrics)


def _leaf(index: Any, name: str) -> str:
    """A task that stands below a name."""
    from lm_eval.tasks._yaml_loader import load_yaml

    entry = index.task_index[name]
    if entry.kind.name == "TAG":
        return _leaf(index, min(entry.tags))
    if entry.kind.name != "GROUP":
        return name
    below = load_yaml(entry.yaml_path, resolve_func=False)["task"][0]
    return _leaf(index, below if isinstance(below, str) else below.get("task", below.get("group")))
