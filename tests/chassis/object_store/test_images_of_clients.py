"""Images of a client on another machine: by way of a real S3 server to where evaluations run, byte for byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from assay.locations import located
from assay.settings import ClientSettings
from assay.store import Store
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import StoreSettings, SyncObjectStore, open_store
from assay_evaluator.images import with_images
from assay_evaluator.inputs import read_rows
from assay_evaluator.items import ordered_items
from assay_scheduler.intake.cache import MemoryCache
from assay_scheduler.intake.datasets import DatasetIntake
from assay_scheduler.intake.locations import Locations
from assay_scheduler.intake.rows import needs_of_benchmark
from assay_scheduler.intake.unusable import Unusable
from assay_schemas.artifacts import DatasetRef, rows_key
from assay_schemas.benchmarks import OWN_BENCHMARKS

pytestmark = pytest.mark.real
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ROW = {"question": "What is <image 1>?", "options": ["red", "blue"], "answer": "A"}


@pytest.fixture
def settings(s3_settings: StoreSettings, tmp_path: Path) -> StoreSettings:
    return s3_settings.model_copy(update={"object_store": f"s3://contract/{tmp_path.name}"})


def published(settings: StoreSettings, folder: Path, rows: list[dict[str, Any]]) -> str:
    """What the client puts in place of the file that its user named."""
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    client = ClientSettings(
        object_store=settings.object_store,
        kafka_bootstrap_servers="x:1",
        s3_endpoint_url=settings.s3_endpoint_url,
        s3_region="us-east-1",
        s3_access_key_id=settings.s3_access_key_id.get_secret_value(),
        s3_secret_access_key=settings.s3_secret_access_key,
    )
    asked = {"benchmarks": [{"name": "visual_multiple_choice", "parameters": {"dataset": "items.jsonl"}}]}
    found = located(asked, folder, Store(client))["benchmarks"][0]["parameters"]["dataset"]
    assert found.startswith("sha256:")
    return str(found).removeprefix("sha256:")


def test_a_clients_images_arrive_where_evaluations_run(settings: StoreSettings, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(PNG)
    inline = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    digest = published(
        settings, tmp_path, [{**ROW, "id": "a", "image_1": "1.png"}, {**ROW, "id": "b", "image": inline}]
    )
    with SyncObjectStore(settings) as store:
        rows = read_rows(store, DatasetRef(uri=store.uri(rows_key(digest)), digest=digest, rows=2))
        items = with_images(store, ordered_items(rows), tmp_path / "cache")
        shown = [(item.id, image) for item in items for image in item.images.values()]
        assert {(item, image.path.read_bytes()) for item, image in shown} == {("a", PNG), ("b", PNG)}
        [key] = {image.key for _, image in shown}
        store.put_bytes(key, b"another", media_type="image/png")
        with pytest.raises(JobFailed, match="does not hash to its name"):
            with_images(store, ordered_items(rows), tmp_path / "elsewhere")


async def taken_in(settings: StoreSettings, digest: str, scratch: Path) -> DatasetRef:
    """What the scheduler makes of the snapshot that a client wrote."""
    async with open_store(settings.object_store, settings) as store:
        locations = Locations(store, [], scratch, lambda bucket: open_store(bucket, settings))
        needs = needs_of_benchmark(OWN_BENCHMARKS["visual_multiple_choice"])
        return await DatasetIntake(store, locations, MemoryCache(), scratch).take(f"sha256:{digest}", needs)


async def test_images_of_a_clients_rows_that_lie_in_a_bucket_arrive_too(
    settings: StoreSettings, tmp_path: Path
) -> None:
    elsewhere = f"s3://contract/pictures-{tmp_path.name}"
    async with open_store(elsewhere, settings) as bucket:
        for name in ("1.png", "2 [a].png"):
            await bucket.put_bytes(name, PNG, media_type="image/png")
    rows = [{"id": "a", "image_1": f"{elsewhere}/1.png"}, {"id": "b", "image_1": f"{elsewhere}/2 [a].png"}]
    digest = published(settings, tmp_path, [{**ROW, **row} for row in rows])
    reference = await taken_in(settings, digest, tmp_path)
    with SyncObjectStore(settings) as store:
        items = with_images(store, ordered_items(read_rows(store, reference)), tmp_path / "cache")
    assert [[image.path.read_bytes() for image in item.images.values()] for item in items] == [[PNG], [PNG]]


async def test_an_image_that_is_in_no_bucket_is_told_with_its_row(settings: StoreSettings, tmp_path: Path) -> None:
    digest = published(settings, tmp_path, [{**ROW, "id": "a", "image_1": "s3://contract/nowhere/1.png"}])
    with pytest.raises(Unusable, match=r"'image_1' an image that cannot be had: .*nowhere/1\.png' does not exist"):
        await taken_in(settings, digest, tmp_path)
