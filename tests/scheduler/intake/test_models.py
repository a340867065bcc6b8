"""Base models: complete folders of safetensors are taken in, everything else is refused with the mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
from assay_chassis.object_store import MemoryStore
from assay_scheduler.intake.cache import MemoryCache
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.models import ModelIntake
from assay_scheduler.intake.unusable import Unusable
from assay_schemas.canonical import digest_of, sha256_hex


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return cases.write_files(tmp_path) / "MODELS" / "pilot"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def intake(store: MemoryStore, tmp_path: Path) -> ModelIntake:
    locations = Locations(store, [tmp_path], tmp_path / "scratch", lambda _: store)
    return ModelIntake(store, locations, MemoryCache(), HubModels(offline=True, cache=tmp_path / "hub"))


async def complaint(intake: ModelIntake, location: Any) -> str:
    with pytest.raises(Unusable) as caught:
        await intake.take(str(location))
    return str(caught.value)


async def test_a_model_is_known_by_the_digest_over_its_files(intake, store, folder) -> None:
    (folder / "modeling_own.py").write_text("print('never copied')")
    found = await intake.take(str(folder))
    names = ["config.json", "model.safetensors", "tokenizer.json"]
    assert found.digest == digest_of({name: sha256_hex((folder / name).read_bytes()) for name in names})
    assert sorted(store.objects) == [f"models/{found.digest}/{name}" for name in names]


async def test_the_same_files_elsewhere_are_the_same_model(intake, folder) -> None:
    first = await intake.take(str(folder))
    moved = folder.rename(folder.parent / "moved")
    assert (await intake.take(str(moved))).digest == first.digest


async def test_a_model_in_the_store_is_named_by_its_digest(intake, folder) -> None:
    first = await intake.take(str(folder))
    assert (await intake.take(f"sha256:{first.digest}")).digest == first.digest
    assert (await intake.take(first.uri)).digest == first.digest


async def test_pickled_weights_are_refused_with_the_way_out(intake, folder) -> None:
    said = await complaint(intake, folder.parent / "pickled")
    assert "pickled weights only (pytorch_model.bin)" in said
    assert "safe_serialization=True" in said


async def test_pickled_weights_beside_safetensors_are_left_behind(intake, store, folder) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    await intake.take(str(folder))
    assert not any(name.endswith(".bin") for name in store.objects)


@pytest.mark.parametrize(
    ("name", "why"),
    [("config.json", "no config.json"), ("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights")],
)
async def test_what_is_missing_is_named(intake, folder, name: str, why: str) -> None:
    (folder / name).unlink()
    assert why in await complaint(intake, folder)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64, (2).to_bytes(8, "little") + b"[]"])
async def test_weights_that_are_no_safetensors_are_refused(intake, folder, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "not a safetensors file" in await complaint(intake, folder)


async def test_weights_that_are_cut_short_are_refused(intake, folder) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-4])
    assert "cut short" in await complaint(intake, folder)


async def test_a_missing_shard_is_named(intake, folder) -> None:
    index = {"weight_map": {"w": "model.safetensors", "v": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "such as model-2.safetensors" in await complaint(intake, folder)


async def test_a_configuration_that_is_none_is_refused(intake, folder) -> None:
    (folder / "config.json").write_text("{")
    assert "not JSON" in await complaint(intake, folder)
    (folder / "config.json").write_text("{}")
    assert "without model_type" in await complaint(intake, folder)


async def test_a_file_or_nothing_where_a_folder_is_needed_is_said(intake, folder) -> None:
    assert "is a file" in await complaint(intake, folder / "config.json")
    assert "does not exist" in await complaint(intake, folder / "nowhere")


async def test_a_model_of_the_hub_comes_from_the_local_cache_when_offline(intake, folder, tmp_path) -> None:
    commit = "c" * 40
    cached = tmp_path / "hub" / "models--org--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots").mkdir()
    folder.rename(cached / "snapshots" / commit)
    found = await intake.take("hf:org/tiny@main")
    assert found.name == "hf:org/tiny@main"
    assert "not in the local cache" in await complaint(intake, "hf:org/other")
    assert "not a model of the Hub" in await complaint(intake, "hf:a/b/c")
