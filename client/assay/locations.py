"""Makes a document independent of where it was written: relative paths become locations the system can read.

With a local store a path becomes absolute; with a remote one the file's bytes are uploaded as they are, and items that
show images become a snapshot with their images.
Rows given in Python become a snapshot. Whether rows are *valid* is the scheduler's intake to say.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from assay_schemas.artifacts import dataset_prefix
from assay_schemas.benchmarks import NEWEST_HARNESS, definition_of
from assay_schemas.canonical import canonical_json, sha256_hex
from assay_schemas.datasets import SnapshotManifest, formats_of, snapshot_bytes

from assay.errors import AssayError
from assay.files import read_document
from assay.images import with_images
from assay.store import Store

_SCHEME = re.compile(r"^(s3|file|https?)://|^(hf|sha256|training|endpoint):")


def located(document: Mapping[str, Any], folder: Path, store: Store) -> dict[str, Any]:
    """The document with every location that is a local path replaced; anything malformed is left as it is."""

    def place(location: Any) -> Any:
        return _placed(location, folder, store) if isinstance(location, str) else location

    def rewarded(part: Any) -> Any:
        return _nested(part, "training", ("hyperparameters",), lambda given: _with(given, ("reward",), reward))

    def reward(given: Any) -> Any:
        return [reward(one) for one in given] if isinstance(given, list) else _with(given, ("checkpoint",), place)

    found = dict(rewarded(document))
    if "base_model" in found:
        found["base_model"] = place(found["base_model"])
    if isinstance(found.get("arms"), list):
        found["arms"] = [rewarded(_with(arm, ("dataset", "model"), place)) for arm in found["arms"]]
    if isinstance(found.get("benchmarks"), list):
        found["benchmarks"] = [
            _nested(_with_task(_with_shown(benchmark, folder, store), folder), "parameters", ("dataset",), place)
            for benchmark in found["benchmarks"]
        ]
    return found


def snapshot(rows: Iterable[Mapping[str, Any]], store: Store, source: str = "", folder: Path | None = None) -> str:
    """Stores rows as an immutable snapshot, and the images they name, and returns its location `sha256:<digest>`.

    Paths of images start from `folder`, else from where the program runs. Raises AssayError for no rows, for a value
    that has no JSON form, and for an image that is none.
    """
    listed = with_images(rows, folder or Path(), store)
    if not listed:
        raise AssayError(f"There are no rows to snapshot{_of(source)}; a dataset has at least one.")
    try:
        data = snapshot_bytes(listed)
    except (TypeError, ValueError) as error:
        raise AssayError(
            f"A row{_of(source)} holds a value that JSON cannot: {error}. Use text, numbers, lists and mappings."
        ) from error
    digest = sha256_hex(data)
    columns = tuple(sorted(set().union(*listed)))
    common = set(listed[0]).intersection(*listed)
    manifest = SnapshotManifest(
        digest=digest, rows=len(listed), size=len(data), columns=columns, formats=formats_of(common), source=source
    )
    store.write(f"{dataset_prefix(digest)}/rows.jsonl", data)
    store.write(f"{dataset_prefix(digest)}/manifest.json", canonical_json(manifest))
    return f"sha256:{digest}"


def _of(source: str) -> str:
    return f" of {source}" if source else ""


def _with_shown(benchmark: Any, folder: Path, store: Store) -> Any:
    """The benchmark with its items and their images in the store, where it shows images and the store is elsewhere."""
    if store.is_local or not isinstance(benchmark, Mapping):
        return benchmark
    definition = definition_of(str(benchmark.get("name")), str(benchmark.get("harness_version") or NEWEST_HARNESS))
    if definition is None or not definition.shows_images:
        return benchmark

    def kept(location: Any) -> Any:
        path = folder / Path(location).expanduser() if isinstance(location, str) and location else None
        if path is None or _SCHEME.match(location) or not path.is_file():
            return location
        from assay.rows import read_rows  # loads Arrow, which most experiments do without

        return snapshot(read_rows(path), store, path.name, path.parent)

    return _nested(benchmark, "parameters", ("dataset",), kept)


def _with_task(benchmark: Any, folder: Path) -> Any:
    """The benchmark with its task's YAML file read in. Raises Refused where that is no mapping."""

    def read(task: Any) -> Any:
        path = folder / Path(task).expanduser() if isinstance(task, str) else None
        return read_document(path, "task") if path is not None and path.is_file() else task

    return _nested(benchmark, "parameters", ("task",), read)


def _with(value: Any, keys: tuple[str, ...], place: Callable[[Any], Any]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: place(item) if key in keys else item for key, item in value.items()}


def _nested(value: Any, inside: str, keys: tuple[str, ...], place: Callable[[Any], Any]) -> Any:
    if not isinstance(value, Mapping) or inside not in value:
        return value
    return {**value, inside: _with(value[inside], keys, place)}


def _placed(location: str, folder: Path, store: Store) -> str:
    if not location or _SCHEME.match(location) or ".." in Path(location).parts or "\x00" in location:
        return location
    path = folder / Path(location).expanduser()
    if store.is_local or not path.is_file():
        return str(path.absolute()) if store.is_local or not glob.has_magic(location) else location
    data = path.read_bytes()
    return store.write(f"uploads/{hashlib.sha256(data).hexdigest()}/{path.name}", data)
