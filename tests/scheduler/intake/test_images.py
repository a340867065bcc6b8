"""Images of benchmark items: kept once by their content, named in the rows, and read only where it is allowed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.object_store import MemoryStore
from assay_scheduler.intake.cache import MemoryCache
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.rows import needs_of_benchmark
from assay_scheduler.intake.unusable import Unusable
from assay_schemas.benchmarks import OWN_BENCHMARKS
from assay_schemas.canonical import sha256_hex

NEEDS = needs_of_benchmark(OWN_BENCHMARKS["visual_multiple_choice"])
PNG, JPEG = b"\x89PNG\r\n\x1a\n and so on", b"\xff\xd8\xff\xe0 and so on"
ROW = {"question": "What is it?", "choices": ["a", "b"], "answer": "A"}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "pictures").mkdir(parents=True)
    (tmp_path / "data" / "pictures" / "1.png").write_bytes(PNG)
    return tmp_path / "data"


@pytest.fixture
def intake(store: MemoryStore, data: Path) -> DatasetIntake:
    return DatasetIntake(store, Locations(store, [data], data, lambda _: store), MemoryCache(), data)


async def taken(intake: DatasetIntake, store: MemoryStore, location: str) -> list[dict[str, Any]]:
    found = await intake.take(location, NEEDS)
    return [json.loads(line) for line in (await store.get_bytes(found.uri)).splitlines()]


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def key(content: bytes, kind: str) -> str:
    return f"images/{sha256_hex(content)}.{kind}"


async def test_images_beside_the_rows_are_kept_and_named_by_their_content(intake, store, data) -> None:
    uri = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    rows = await taken(intake, store, written(data / "a.jsonl", [{**ROW, "images": ["pictures/1.png", uri]}]))
    assert rows == [{**ROW, "images": [key(PNG, "png"), key(JPEG, "jpeg")]}]
    assert await store.get_bytes(key(PNG, "png")) == PNG
    again = await taken(intake, store, written(data / "b.jsonl", rows))
    assert again == rows


async def test_bytes_in_parquet_are_kept_in_the_form_of_the_hub_too(intake, store, data) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{**ROW, "image_1": {"bytes": PNG, "path": None}, "image_2": {"bytes": None, "path": None}}]
    rows[0]["image_2"] = None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), data / "a.parquet")
    assert (await taken(intake, store, str(data / "a.parquet")))[0]["image_1"] == key(PNG, "png")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{**ROW, "image": JPEG}]), data / "b.parquet")
    assert (await taken(intake, store, str(data / "b.parquet")))[0]["image"] == key(JPEG, "jpeg")


async def test_an_image_that_changed_is_another_snapshot(intake, store, data) -> None:
    location = written(data / "a.jsonl", [{**ROW, "image": "pictures/1.png"}])
    first = await intake.take(location, NEEDS)
    (data / "pictures" / "1.png").write_bytes(JPEG)
    assert (await intake.take(location, NEEDS)).digest != first.digest


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("pictures/2.png", "does not exist"),
        ("../secret.png", "is not under a folder that the scheduler may read"),
        ("/etc/hostname", "is not under a folder that the scheduler may read"),
        ("a.jsonl", "something that is not PNG, JPEG, GIF or WebP"),
        ("https://example.org/1.png", "a web address"),
        ("data:image/png,abc", "a data URI that is not base64"),
        (3, "no image"),
    ],
)
async def test_what_is_no_image_that_may_be_read_is_refused(intake, data, image: Any, words: str) -> None:
    (data.parent / "secret.png").write_bytes(PNG)
    with pytest.raises(Unusable) as caught:
        await intake.take(written(data / "a.jsonl", [{**ROW, "image": image}]), NEEDS)
    assert "line 1 has in 'image'" in str(caught.value)
    assert words in str(caught.value)
