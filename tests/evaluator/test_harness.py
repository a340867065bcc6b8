"""Tasks of the harness by name: groups, limits in hash order, and stable ids, on files of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.real
COLOURS = ["red", "blue", "green", "black"]


class Silent:
    """Progress that nobody reads."""

    def expect(self, rows: int) -> None: ...

    def rows_done(self, rows: int) -> None: ...

    def beat(self) -> None: ...


@pytest.fixture(scope="module")
def lm(model: Path) -> Any:
    from assay_evaluator.engines import open_engine
    from assay_evaluator.engines.base import EngineSettings

    return open_engine("transformers", EngineSettings(folder=model), Silent())


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A harness that knows two tasks over local files, a group that averages them and a tag of both."""
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("tasks")
    for name, count in (("colours_small", 6), ("colours_large", 18)):
        rows = [{"question": f"{name} {place}?", "choices": COLOURS, "answer": place % 4} for place in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        task = {
            "task": name,
            "tag": "colours_tag",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}},
            "output_type": "multiple_choice",
            "test_split": "test",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task))
    group = {"group": "colours", "task": ["colours_small", "colours_large"]}
    group["aggregate_metric_list"] = [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}]
    (folder / "colours.yaml").write_text(yaml.safe_dump(group))
    return TaskManager(include_path=str(folder), include_defaults=False)


def evaluate(lm: Any, manager: Any, name: str, limit: int | None = None) -> Any:
    from assay_evaluator.harness import evaluate_harness
    from assay_schemas.benchmarks import HarnessTaskParameters

    return evaluate_harness(lm, manager, name, HarnessTaskParameters(), None, limit=limit, seed=0)


def test_a_task_over_local_files_runs_by_its_name(lm: Any, manager: Any) -> None:
    scored = evaluate(lm, manager, "colours_large")
    assert (scored.primary, scored.items) == ("acc", 18)
    assert scored.metrics["acc"].value == sum(sample.score for sample in scored.samples) / 18
    assert scored.samples[3].prompt == "colours_large 3?"


def test_a_limit_takes_the_same_items_by_hash_with_their_own_ids(lm: Any, manager: Any) -> None:
    whole = {sample.item_id: sample for sample in evaluate(lm, manager, "colours_large").samples}
    few = evaluate(lm, manager, "colours_large", limit=5).samples
    assert len(few) == 5
    assert [sample.item_index for sample in few] != [0, 1, 2, 3, 4]
    for sample in few:
        assert sample.prompt == whole[sample.item_id].prompt == f"colours_large {sample.item_index}?"
        assert sample.score == whole[sample.item_id].score


def test_a_group_leads_with_the_average_that_the_harness_makes(lm: Any, manager: Any) -> None:
    scored = evaluate(lm, manager, "colours")
    small, large = scored.metrics["colours_small.acc"].value, scored.metrics["colours_large.acc"].value
    assert scored.primary == "acc"
    assert scored.metrics["acc"].value == pytest.approx((6 * small + 18 * large) / 24)
    assert scored.metrics["acc"].items == scored.items == 24
    assert len({sample.item_id.partition("/")[0] for sample in scored.samples}) == 2


def test_a_tag_leads_with_the_mean_over_its_items(lm: Any, manager: Any) -> None:
    scored = evaluate(lm, manager, "colours_tag", limit=4)
    assert scored.items == 8
    assert scored.metrics["acc"].value == pytest.approx(sum(sample.score for sample in scored.samples) / 8)


def test_the_index_of_tasks_is_read_back_as_it_was_written(
    tmp_path: Path, manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_evaluator import task_names

    folder = Path(manager.task_index["colours_small"].yaml_path).parent
    monkeypatch.setattr(task_names, "HARNESS_FOLDER", folder)
    rows = [task_names._row(entry) for entry in manager.task_index.values()]
    read = [task_names._entry(row) for row in json.loads(json.dumps(rows))]
    known = manager.task_index
    assert {entry.name for entry in read} == set(known)
    for entry in read:
        assert (entry.kind, entry.tags) == (known[entry.name].kind, known[entry.name].tags)
        assert str(entry.yaml_path) == str(known[entry.name].yaml_path)


FILES = {
    "_base": "tag: colours\noutput_type: multiple_choice\ndoc_to_text: !function words.read\n",
    "_again": "include: _base.yaml\ntag: [small, colours]\n",
    "a": "include: _base.yaml\ntask: a\n",
    "b": "include: [_base.yaml, sub/_deep.yaml]\ntask: b\n",
    "c": "include: _again.yaml\ntask: c\n",
    "twice": "include: [_base.yaml, _again.yaml]\ntask: twice\n",
    "round": "include: round.yaml\ntask: round\n",
    "none": "include:\ntask: none\n",
    "later": "task: a\ntag: other\n",
    "group": "group: both\ntask: [a, b]\ntag: groups\n",
    "python": "class: !function words.Task\ntask: python\n",
    "sub/_deep": "tag: deep\ntask: from_below\n",
    "broken": "task: [",
    "strange": "task: strange\nvalue: !unknown 1\n",
    "list": "- task\n",
}


def test_the_index_of_tasks_is_what_the_harness_makes_itself(tmp_path: Path) -> None:
    from assay_evaluator.task_index import TaskFiles
    from lm_eval.tasks._index import TaskIndex

    for name, text in FILES.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    ours, theirs = TaskFiles(tmp_path).index(), TaskIndex.build([tmp_path])
    assert {"a", "b", "c", "both", "python", "colours", "deep"} <= set(ours)
    assert list(ours) == list(theirs)
    for name, entry in theirs.items():
        found = ours[name]
        assert (found.kind, found.yaml_path, found.tags) == (entry.kind, entry.yaml_path, entry.tags), name


@pytest.fixture(scope="module")
def following() -> Any:
    """A harness that knows IFEval alone."""
    from assay_evaluator.task_names import HARNESS_FOLDER
    from lm_eval.tasks import TaskManager

    for library in ("langdetect", "immutabledict"):
        pytest.importorskip(library)
    return TaskManager(include_path=str(HARNESS_FOLDER / "ifeval"), include_defaults=False)


def followed(lm: Any, manager: Any, rows: list[dict[str, Any]]) -> Any:
    from assay_evaluator.harness import evaluate_harness
    from assay_schemas.benchmarks import HarnessTaskParameters

    return evaluate_harness(lm, manager, "ifeval", HarnessTaskParameters(max_tokens=8), rows, limit=None, seed=0)


def test_ifeval_is_scored_strictly_and_loosely_over_given_rows(lm: Any, following: Any) -> None:
    asked = ["punctuation:no_comma", "change_case:english_lowercase"]
    rows = [
        {
            "key": place,
            "prompt": "Write.",
            "instruction_id_list": asked[: 1 + place % 2],
            "kwargs": [{}] * (1 + place % 2),
        }
        for place in range(4)
    ]
    scored = followed(lm, following, rows)
    names = {"prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"}
    assert names <= {name.partition(",")[0] for name in scored.metrics}
    for sample in scored.samples[::2]:
        assert sample.score == float("," not in sample.response)


def test_data_that_is_missing_for_ifeval_is_said_with_the_mend(
    lm: Any, following: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk
    from assay_chassis.job_service import JobFailed

    def missing(*_: Any, **__: Any) -> None:
        raise LookupError("Resource punkt not found.")

    monkeypatch.setattr(nltk.data, "load", missing)
    row = {"key": 1, "prompt": "Write.", "instruction_id_list": ["length_constraints:number_sentences"]}
    with pytest.raises(JobFailed, match=r"python -m nltk\.downloader punkt_tab") as caught:
        followed(lm, following, [{**row, "kwargs": [{"relation": "at least", "num_sentences": 2}]}])
    assert caught.value.error_class == "bad_input"


def test_tasks_that_show_images_begin_as_the_schemas_say() -> None:
    import lm_eval.tasks
    from assay_schemas.benchmarks import TASKS_WITH_IMAGES, definition_of, harness_tasks

    folder = Path(lm_eval.tasks.__file__).parent
    showing = {path.parent.name for path in folder.rglob("*") if path.is_file() and path.suffix in ("", ".yaml")
               and "doc_to_image" in path.read_text(encoding="utf-8", errors="replace")}  # fmt: skip
    assert showing == {"chartqa", "mmmu", "pisa"}
    found = {name for name in harness_tasks("lm-eval-0.4.13") if name.startswith(TASKS_WITH_IMAGES)}
    assert len(found) > 40
    assert definition_of("mmmu_val_art", "lm-eval-0.4.13").shows_images
    assert not definition_of("mmlu", "lm-eval-0.4.13").shows_images


def test_pictures_in_documents_have_ids_by_their_content() -> None:
    from types import SimpleNamespace

    from assay_evaluator.harness import document_ids
    from PIL import Image

    def shown() -> Any:
        colours = ("red", "blue", "red")
        return SimpleNamespace(eval_docs=[{"question": "?", "image": Image.new("RGB", (2, 2), one)} for one in colours])

    first, second, third = document_ids(shown())
    assert document_ids(shown()) == [first, second, third]
    assert first != second
    assert third == f"{first}~2"
