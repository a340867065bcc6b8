"""What every object store must do, run against each of them."""

import asyncio
import hashlib
import random
from pathlib import Path

import pytest
from assay_chassis.object_store import (
    KeyRefused,
    ObjectDamaged,
    ObjectNotFound,
    ObjectTooLarge,
    SyncObjectStore,
)
from assay_chassis.object_store.common import CommonStore
from assay_chassis.object_store.retry import RetryPolicy

LARGE = 40 * 2**20


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"rows", bytes(range(256)) * 1000])
async def test_what_is_put_is_what_comes_back(store: CommonStore, data: bytes) -> None:
    ref = await store.put_bytes("datasets/a/rows.jsonl", data, media_type="application/jsonl")
    assert (ref.size, ref.sha256, ref.media_type) == (len(data), sha256(data), "application/jsonl")
    assert ref.uri == store.uri("datasets/a/rows.jsonl")
    assert await store.get_bytes(ref) == data
    assert await store.get_bytes("datasets/a/rows.jsonl") == data
    assert await store.get_bytes(ref.uri) == data


async def test_putting_again_replaces(store: CommonStore) -> None:
    await store.put_bytes("manifest.json", b"first")
    await store.put_bytes("manifest.json", b"second")
    assert await store.get_bytes("manifest.json") == b"second"


async def test_a_large_file_goes_there_and_back(store: CommonStore, tmp_path: Path) -> None:
    data = random.Random(0).randbytes(LARGE)
    (tmp_path / "weights").write_bytes(data)
    ref = await store.put_file("checkpoints/weights.safetensors", tmp_path / "weights")
    assert (ref.size, ref.sha256) == (LARGE, sha256(data))
    back = await store.get_file(ref, tmp_path / "deep" / "back")
    assert back.read_bytes() == data
    assert [path.name for path in back.parent.iterdir()] == ["back"], "nothing is left beside it"


async def test_a_file_that_is_not_there_cannot_be_put(store: CommonStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put_file("weights", tmp_path / "nowhere")
    assert not await store.exists("weights")


async def test_a_folder_goes_there_and_back(store: CommonStore, tmp_path: Path) -> None:
    names = ["config.json", "model.safetensors", "tokenizer/vocab.json", "with space & ä.txt"]
    for name in names:
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    tree = await store.put_tree("models/one", tmp_path / "model")
    assert tree.uri == store.uri("models/one")
    assert len(tree.files) == 4
    assert tree.size == sum(len(name.encode()) for name in names)
    for source in (tree, "models/one", tree.uri):
        back = await store.get_tree(source, tmp_path / f"back-{id(source)}")
        assert {path.relative_to(back).as_posix(): path.read_text() for path in back.rglob("*.*")} == {
            name: name for name in names
        }


async def test_equal_folders_have_equal_digests_wherever_they_are_put(store: CommonStore, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.json").write_text("a")
    first = await store.put_tree("models/one", folder)
    second = await store.put_tree("models/two", folder)
    (folder / "a.json").write_text("b")
    third = await store.put_tree("models/three", folder)
    assert first.sha256 == second.sha256 != third.sha256


async def test_an_empty_folder_cannot_be_put(store: CommonStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no files"):
        await store.put_tree("models/none", tmp_path)


async def test_what_is_not_there_is_not_found(store: CommonStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound, match="no such object"):
        await store.get_bytes("nothing/here")
    with pytest.raises(ObjectNotFound):
        await store.get_file("nothing/here", tmp_path / "file")
    with pytest.raises(ObjectNotFound):
        await store.stat("nothing/here")
    with pytest.raises(ObjectNotFound):
        await store.get_tree("nothing", tmp_path / "tree")
    assert not await store.exists("nothing/here")
    assert list(tmp_path.glob("file*")) == []


async def test_a_folder_is_not_an_object(store: CommonStore) -> None:
    await store.put_bytes("folder/object", b"1")
    assert not await store.exists("folder")
    with pytest.raises(ObjectNotFound):
        await store.get_bytes("folder")


async def test_stat_tells_the_size(store: CommonStore) -> None:
    ref = await store.put_bytes("a", b"12345")
    stat = await store.stat(ref.uri)
    assert (stat.uri, stat.size) == (ref.uri, 5)
    assert stat.sha256 in (None, ref.sha256)


async def test_more_than_allowed_is_not_read_into_memory(store: CommonStore) -> None:
    await store.put_bytes("large", b"x" * 1001)
    with pytest.raises(ObjectTooLarge, match="1001 bytes, more than the 1000"):
        await store.get_bytes("large", max_bytes=1000)
    assert len(await store.get_bytes("large", max_bytes=1001)) == 1001


async def test_list_is_ordered_and_keeps_to_the_folder(store: CommonStore) -> None:
    for key in ("b/2", "b/1/deep", "a/1", "bb/1", "b.txt"):
        await store.put_bytes(key, key.encode())
    assert [entry.uri async for entry in store.list("b")] == [store.uri("b/1/deep"), store.uri("b/2")]
    assert [entry.size async for entry in store.list("b/")] == [8, 3]
    everything = [entry.uri async for entry in store.list()]
    assert everything == sorted(everything)
    assert len(everything) == 5
    assert [entry async for entry in store.list("nothing")] == []


async def test_delete_prefix_deletes_a_folder_and_no_more(store: CommonStore) -> None:
    for key in ("b/2", "b/1/deep", "bb/1"):
        await store.put_bytes(key, b"1")
    assert await store.delete_prefix("b") == 2
    assert await store.delete_prefix("b") == 0
    assert [entry.uri async for entry in store.list()] == [store.uri("bb/1")]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/./b", "a\\b", "a\0b", "s3://else/where", "x" * 1025]
)
async def test_a_key_that_leaves_the_root_is_refused(store: CommonStore, key: str, tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="use a relative key"):
        await store.put_bytes(key, b"1")
    with pytest.raises(KeyRefused):
        await store.get_bytes(key)
    with pytest.raises(KeyRefused):
        await store.get_file(key, tmp_path / "file")


async def test_an_object_that_is_not_what_its_reference_says_is_damaged(store: CommonStore, tmp_path: Path) -> None:
    store._retries = RetryPolicy(attempts=2, base_s=0.01)
    ref = await store.put_bytes("a", b"what was written")
    await store.put_bytes("a", b"what was changed")
    with pytest.raises(ObjectDamaged, match=ref.sha256):
        await store.get_bytes(ref)
    with pytest.raises(ObjectDamaged):
        await store.get_file(ref, tmp_path / "file")
    assert list(tmp_path.glob("file*")) == []


async def test_readers_see_one_whole_object_or_another(store: CommonStore) -> None:
    versions = [bytes([number]) * 200_000 for number in range(8)]
    await store.put_bytes("shared", versions[0])

    async def read() -> bytes:
        return await store.get_bytes("shared")

    async with asyncio.TaskGroup() as group:
        for version in versions:
            group.create_task(store.put_bytes("shared", version))
        reads = [group.create_task(read()) for _ in range(16)]
    assert {task.result() for task in reads} <= set(versions)


def test_the_blocking_store_does_the_same(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with SyncObjectStore((tmp_path / "store").as_uri()) as store:
        ref = store.put_bytes("a/1", b"1")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("f")
        tree = store.put_tree("tree", tmp_path / "folder")
        assert store.get_bytes(ref) == b"1"
        assert store.get_file(ref, tmp_path / "copy").read_bytes() == b"1"
        assert (store.get_tree(tree, tmp_path / "back") / "file").read_text() == "f"
        assert store.exists("a/1")
        assert store.stat("a/1").size == 1
        assert [entry.uri for entry in store.list()] == [store.uri("a/1"), store.uri("tree/file")]
        assert store.delete_prefix("a") == 1
    store.close()
