"""Where data lies: paths made absolute or uploaded, rows made snapshots."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from assay.errors import AssayError
from assay.experiment import Arm, Benchmark, Experiment
from assay.locations import located, snapshot
from assay.settings import ClientSettings
from assay.store import Store
from assay_schemas.images import image_key


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(ClientSettings(object_store=f"file://{tmp_path}/store", kafka_bootstrap_servers="x:1"))


def document(location: str) -> dict:
    return {
        "base_model": "models/pilot",
        "arms": [{"name": "a", "dataset": location}],
        "benchmarks": [{"name": "numeric", "parameters": {"dataset": "items.jsonl"}}],
    }


def test_relative_paths_are_relative_to_the_files_folder(store, tmp_path):
    found = located(document("a.jsonl"), tmp_path, store)
    assert found["arms"][0]["dataset"] == str(tmp_path / "a.jsonl")
    assert found["base_model"] == str(tmp_path / "models/pilot")
    assert found["benchmarks"][0]["parameters"]["dataset"] == str(tmp_path / "items.jsonl")


@pytest.mark.parametrize(
    "location", ["s3://b/k.jsonl", "sha256:" + "0" * 64, "hf:org/name@main", "../up.jsonl", "file:///x"]
)
def test_other_locations_stay_as_they_are(store, tmp_path, location):
    assert located(document(location), tmp_path, store)["arms"][0]["dataset"] == location


def test_a_malformed_document_is_left_for_the_schema_to_judge(store, tmp_path):
    for broken in ({"arms": 3}, {"arms": [3]}, {"benchmarks": [{"parameters": None}]}, {"base_model": 7}):
        assert located(broken, tmp_path, store) == broken


def test_a_snapshot_is_named_by_the_digest_of_its_bytes(store):
    location = snapshot([{"b": 1, "a": "é"}, {"a": "x"}], store, "test")
    digest = location.removeprefix("sha256:")
    data = store.read(store.uri(f"datasets/{digest}/rows.jsonl"))
    assert hashlib.sha256(data).hexdigest() == digest
    manifest = json.loads(store.read(store.uri(f"datasets/{digest}/manifest.json")))
    assert (manifest["rows"], manifest["columns"]) == (2, ["a", "b"])


def test_the_same_rows_are_the_same_snapshot_whatever_the_key_order(store):
    assert snapshot([{"a": 1, "b": 2}], store) == snapshot([{"b": 2, "a": 1}], store)


def test_no_rows_and_rows_without_json_form_are_refused(store):
    with pytest.raises(AssayError, match="no rows"):
        snapshot([], store)
    with pytest.raises(AssayError, match="JSON"):
        snapshot([{"a": float("nan")}], store)


PNG, JPEG = b"\x89PNG\r\n\x1a\n and so on", b"\xff\xd8\xff\xe0 and so on"


def rows_of(location: str, store: Store) -> list[dict]:
    data = store.read(store.uri(f"datasets/{location.removeprefix('sha256:')}/rows.jsonl"))
    return [json.loads(line) for line in data.splitlines()]


def test_images_that_rows_name_go_to_the_store_with_them(store, tmp_path):
    folder = tmp_path / "data"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "1.png").write_bytes(PNG)
    png, jpeg = image_key(hashlib.sha256(PNG).hexdigest(), "png"), image_key(hashlib.sha256(JPEG).hexdigest(), "jpeg")
    rows = [
        {"image": "pictures/1.png", "question": "?"},
        {"image": str(folder / "pictures" / "1.png"), "image_2": {"bytes": JPEG, "path": "x.jpg"}, "image_3": None},
        {"images": [JPEG, (folder / "pictures" / "1.png").as_uri()], "image": png},
        {"image": "s3://elsewhere/1.png", "image_1": "a drawing of a cat", "text": "pictures/1.png"},
    ]
    found = rows_of(snapshot(rows, store, folder=folder), store)
    assert found[0]["image"] == png
    assert (found[1]["image"], found[1]["image_2"], found[1]["image_3"]) == (png, jpeg, None)
    assert (found[2]["images"], found[2]["image"]) == ([jpeg, png], png)
    assert found[3] == rows[3]
    assert (store.read(store.uri(png)), store.read(store.uri(jpeg))) == (PNG, JPEG)
    assert snapshot(rows[:1], store, folder=folder) == snapshot([{**rows[0], "image": png}], store)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("data:image/png,abc", "Row 2 has in 'image' a data URI that is not base64"),
        ("missing.png", "Row 2 has in 'image' missing.png, and there is no such file"),
        ("page.svg", "which is not PNG, JPEG, GIF or WebP"),
        (b"<svg/>", "which is not PNG, JPEG, GIF or WebP"),
    ],
)
def test_an_image_that_is_none_is_named_by_its_row(store, tmp_path, image, why):
    (tmp_path / "page.svg").write_text("<svg/>")
    with pytest.raises(AssayError, match=why):
        snapshot([{"image": "s3://elsewhere/1.png"}, {"image": image}], store, folder=tmp_path)
    assert not (tmp_path / "store" / "datasets").exists()


def test_items_that_show_images_become_a_snapshot_where_the_store_is_elsewhere(store, tmp_path, monkeypatch):
    (tmp_path / "1.png").write_bytes(PNG)
    (tmp_path / "items.jsonl").write_text('{"question": "?", "choices": ["a", "b"], "answer": 0, "image": "1.png"}\n')
    asked = {"benchmarks": [{"name": "visual_multiple_choice", "parameters": {"dataset": "items.jsonl"}}]}
    assert located(asked, tmp_path, store)["benchmarks"][0]["parameters"]["dataset"] == str(tmp_path / "items.jsonl")
    monkeypatch.setattr(Store, "is_local", False)
    location = located(asked, tmp_path, store)["benchmarks"][0]["parameters"]["dataset"]
    assert rows_of(location, store)[0]["image"] == image_key(hashlib.sha256(PNG).hexdigest(), "png")


def test_an_experiment_takes_rows_frames_and_paths(store):
    import pandas as pd

    rows = [{"prompt": "1+1=", "completion": "2"}]
    experiment = Experiment(
        base_model="/m",
        arms=[Arm("rows", rows), Arm("frame", pd.DataFrame(rows)), Arm("path", "/data/a.jsonl")],
        benchmarks=[Benchmark("numeric", [{"prompt": "1+1=", "answer": "2"}], {"max_tokens": 4}, limit=1)],
        seeds=[4, 5],
    )
    found = experiment.document(store)
    assert found["arms"][0]["dataset"] == found["arms"][1]["dataset"]
    assert found["arms"][2]["dataset"] == "/data/a.jsonl"
    assert found["benchmarks"][0]["parameters"]["dataset"].startswith("sha256:")
    assert found["seeds"] == [4, 5]


def test_a_tasks_yaml_file_is_read_in_and_one_with_python_is_refused(tmp_path: Path, store: Store) -> None:
    (tmp_path / "task.yaml").write_text("doc_to_text: '{{q}}'\ndoc_to_target: a\n")
    asked = {"benchmarks": [{"name": "harness_task", "parameters": {"task": "task.yaml"}}]}
    found = located(asked, tmp_path, store)["benchmarks"][0]["parameters"]["task"]
    assert found == {"doc_to_text": "{{q}}", "doc_to_target": "a"}
    (tmp_path / "task.yaml").write_text("process_results: !function utils.scored\n")
    with pytest.raises(AssayError, match="!function"):
        located(asked, tmp_path, store)


def test_a_reward_model_beside_the_file_is_found_in_the_experiment_and_its_arms(store, tmp_path):
    rewards = [{"kind": "verifier", "name": "numeric"}, {"kind": "model", "checkpoint": "rm"}]
    arm = {"name": "a", "dataset": "a", "training": {"hyperparameters": {"reward": rewards[1]}}}
    training = {"algorithm": "PPO", "hyperparameters": {"reward": rewards}}
    found = located({"training": training, "arms": [arm]}, tmp_path, store)
    assert found["training"]["hyperparameters"]["reward"] == [
        rewards[0],
        rewards[1] | {"checkpoint": str(tmp_path / "rm")},
    ]
    assert found["arms"][0]["training"]["hyperparameters"]["reward"]["checkpoint"] == str(tmp_path / "rm")
    assert training["hyperparameters"]["reward"] is rewards, "what was given stays as it is"
