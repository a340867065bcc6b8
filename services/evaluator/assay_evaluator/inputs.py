"""Brings an evaluation's inputs to this machine: the model's folder and the snapshot's rows.

Never trusts bytes whose digest is not the one asked for.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

from assay_chassis.compute import JobRun
from assay_chassis.object_store import SyncObjectStore
from assay_chassis.object_store.keys import path_of_file_uri
from assay_schemas.artifacts import DatasetRef, ModelRef, result_prefix
from assay_schemas.canonical import sha256_hex

from assay_evaluator.failures import bad_input

MAX_SNAPSHOT_BYTES = 2 * 2**30


def unwanted_key(run: JobRun) -> str:
    """Where word is left that one evaluation of a shared run is not wanted any more."""
    return f"{result_prefix(run.job_key, run.attempt)}/unwanted"


def read_rows(store: SyncObjectStore, snapshot: DatasetRef) -> list[dict[str, Any]]:
    """The rows of a snapshot. Raises JobFailed when they are not what the digest says."""
    data = store.get_bytes(snapshot.uri, max_bytes=MAX_SNAPSHOT_BYTES)
    if sha256_hex(data) != snapshot.digest:
        raise bad_input(f"items.digest: {snapshot.uri} does not hash to {snapshot.digest}; publish the snapshot again")
    return [json.loads(line) for line in data.splitlines() if line]


def model_folder(store: SyncObjectStore, model: ModelRef, cache: Path) -> Path:
    """A local folder with the model's files: in place for file://, else fetched once per digest into `cache`."""
    if model.uri.startswith("file://"):
        folder = path_of_file_uri(model.uri)
        if not folder.is_dir():
            raise bad_input(f"model.uri: {model.uri} is no folder on this machine; publish the model again")
        return folder
    folder = cache / model.digest
    if not folder.is_dir():
        _fetch(store, model.uri, folder)
    return folder


def _fetch(store: SyncObjectStore, uri: str, folder: Path) -> None:
    """Fetch beside the destination, then move: other evaluations of the model see all of it or nothing."""
    arriving = folder.with_name(f"{folder.name}.{uuid4().hex}")
    arriving.mkdir(parents=True)
    try:
        store.get_tree(uri, arriving)
        if not folder.is_dir():
            arriving.rename(folder)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
