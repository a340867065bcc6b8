"""The object store from the client's side: references as services write them, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assay.errors import NotConnected, NotFound
from assay.run import Run
from assay.settings import ClientSettings
from assay.store import Store
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.canonical import sha256_hex


def store_at(root: str, **settings: Any) -> Store:
    return Store(ClientSettings(object_store=root, kafka_bootstrap_servers="x:1", **settings))


def test_a_reference_into_a_folder_with_a_space_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "my store"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    reference = ArtifactRef(uri=(folder / "a").as_uri(), sha256=sha256_hex(b"1"), size=1)
    assert "%20" in reference.uri
    assert store_at(folder.as_uri()).read_ref(reference) == b"1"
    assert store_at(f"file://{folder}").write("b", b"2").endswith("my store/b")
    assert (folder / "b").read_bytes() == b"2"


def test_what_the_store_does_not_give_is_an_error_with_its_mend(tmp_path: Path) -> None:
    store = store_at(tmp_path.as_uri())
    with pytest.raises(NotConnected, match=r"cannot be read: .*assay doctor"):
        store.read(tmp_path.as_uri())
    with pytest.raises(NotFound):
        store.read(f"{tmp_path.as_uri()}/nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotConnected, match=r"cannot be written: .*ASSAY_OBJECT_STORE"):
        store.write("file/below", b"")


def test_the_region_of_the_settings_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import fs

    given: dict[str, Any] = {}
    monkeypatch.setattr(fs, "S3FileSystem", lambda **options: given.update(options))
    store_at("s3://bucket", s3_region="eu-central-1")._remote("s3://bucket/a")
    assert given == {"region": "eu-central-1"}


def test_a_store_that_is_away_is_not_a_report_that_is_not_there_yet(tmp_path):
    with pytest.raises(NotConnected, match="There is no object store in"):
        Run("3f1c", ClientSettings(object_store=(tmp_path / "unmounted").as_uri())).report()
