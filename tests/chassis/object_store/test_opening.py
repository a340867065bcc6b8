"""Which store a setting names."""

from pathlib import Path

import pytest
from assay_chassis.object_store import FileStore, MemoryStore, StoreSettings, UriRefused, open_store, split_uri


def test_the_scheme_chooses_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory://x"), MemoryStore)
    assert isinstance(open_store(tmp_path.as_uri()), FileStore)
    assert type(open_store("s3://bucket/prefix")).__name__ == "S3Store"
    assert open_store("s3://bucket/prefix/").uri("a/b") == "s3://bucket/prefix/a/b"


def test_a_plain_path_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_store(StoreSettings(object_store="here")).root == (tmp_path / "here").as_uri()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_OBJECT_STORE", "s3://bucket/x")
    monkeypatch.setenv("ASSAY_S3_SECRET_ACCESS_KEY", "hidden")
    settings = StoreSettings()
    assert open_store(settings).root == "s3://bucket/x"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("uri", ["ftp://host/x", "s3://", "file://host/x"])
def test_what_cannot_be_opened_is_refused(uri: str) -> None:
    with pytest.raises(UriRefused, match="use file:///folder or s3://bucket/prefix"):
        open_store(uri)


def test_a_uri_splits_into_a_root_and_a_key() -> None:
    assert split_uri("s3://data/folder/a.jsonl") == ("s3://data", "folder/a.jsonl")
    assert split_uri("file:///data/a%20b.jsonl") == ("file:///data", "a b.jsonl")


@pytest.mark.parametrize("uri", ["a.jsonl", "s3://bucket", "http://host/a", "file://host/a"])
def test_a_uri_that_names_no_object_is_refused(uri: str) -> None:
    with pytest.raises(UriRefused):
        split_uri(uri)
