"""Data folders that Kafka takes for formatted."""

from __future__ import annotations

from pathlib import Path

from assay_local.kafka_format import format_alike, is_formatted, keep


def test_nothing_is_done_before_the_tool_was_there(tmp_path: Path) -> None:
    assert not format_alike(tmp_path / "data", tmp_path, "cluster", "1")
    assert not (tmp_path / "data").exists()


def test_what_is_the_same_is_copied_and_identities_are_the_folders_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "bootstrap.checkpoint").write_bytes(b"features")
    keep(first, tmp_path)
    assert format_alike(second, tmp_path, "cluster", "3")
    assert is_formatted(second)
    assert (second / "bootstrap.checkpoint").read_bytes() == b"features"
    assert {"cluster.id=cluster", "node.id=3"} < set((second / "meta.properties").read_text().split())
    assert sorted(path.name for path in second.iterdir()) == ["bootstrap.checkpoint", "meta.properties"]


def test_a_cache_that_cannot_be_written_only_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "bootstrap.checkpoint").write_bytes(b"features")
    keep(tmp_path, tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
