"""Reads JSONL and Parquet, checks every row, and keeps an immutable snapshot in the object store.

Holds one row at a time; never changes a value that it keeps.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic_core
from assay_chassis.object_store import ObjectNotFound, ObjectStore
from assay_schemas.artifacts import DatasetRef, dataset_prefix, row_sample_key, rows_key
from assay_schemas.canonical import canonical_json, digest_of
from assay_schemas.cost.tokens import SAMPLED_ROWS
from assay_schemas.datasets import RowSample, SnapshotManifest, formats_of
from assay_schemas.images import media_type_of_key
from pydantic import ValidationError

from assay_scheduler.intake.cache import FindingCache
from assay_scheduler.intake.images import MAX_IMAGE_BYTES, ImageIntake
from assay_scheduler.intake.locations import Locations, SourceFile
from assay_scheduler.intake.rows import Needs, RowChecker
from assay_scheduler.intake.unusable import Unusable

PARQUET_MAGIC = b"PAR1"
MAX_LINE_BYTES = 64 * 2**20
MAX_BATCH_BYTES = 2**30
BATCH_ROWS = 128
MOST_GROWTH = 100
ALWAYS_FINE_BYTES = 2**30
JSONL_SUFFIXES = (".jsonl", ".ndjson", ".json")
RULES = 1  # grows when the checks change, so that older findings are not believed any more


class DatasetIntake:
    """From a location to a snapshot. Raises Unusable."""

    def __init__(self, store: ObjectStore, locations: Locations, cache: FindingCache, scratch: Path) -> None:
        self._store = store
        self._locations = locations
        self._cache = cache
        self._scratch = scratch

    async def take(self, location: str, needs: Needs) -> DatasetRef:
        """The snapshot of a location whose rows are as needed; what was taken before is not read again."""
        if location.startswith("sha256:"):
            location = self._store.uri(rows_key(_digest_in(location)))
        files = await self._locations.files(location)
        try:
            return await self._known_or_new(files, needs, location)
        finally:
            await self._locations.release(files)

    async def _known_or_new(self, files: Sequence[SourceFile], needs: Needs, location: str) -> DatasetRef:
        key = digest_of([RULES, needs.who, needs.alternatives, [file.identity for file in files]])
        known = None if needs.images else await self._cache.get(key)  # an image may have changed where the rows did not
        if known is not None and await self._store.exists(rows_key(known["digest"])):
            return DatasetRef.model_validate({**known, "source": location})
        manifest = await self._snapshot(files, needs, location)
        reference = DatasetRef(
            uri=self._store.uri(rows_key(manifest.digest)), digest=manifest.digest, rows=manifest.rows, source=location
        )
        await self._cache.put(key, reference.model_dump(mode="json"))
        return reference

    async def _snapshot(self, files: Sequence[SourceFile], needs: Needs, location: str) -> SnapshotManifest:
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            target = Path(folder) / "rows.jsonl"
            sample = RowSample(SAMPLED_ROWS)
            images = ImageIntake(Path(folder), self._reader()) if needs.images else None
            manifest = await asyncio.to_thread(write_rows, files, needs, target, location, sample, images)
            await self._keep_images(images)
            prefix = dataset_prefix(manifest.digest)
            if not await self._store.exists(row_sample_key(manifest.digest)):
                lines = b"".join(sample.lines())
                await self._store.put_bytes(row_sample_key(manifest.digest), lines, media_type="application/jsonl")
            if not await self._complete(prefix):
                await self._store.put_file(rows_key(manifest.digest), target, media_type="application/jsonl")
                await self._store.put_bytes(
                    f"{prefix}/manifest.json", manifest.model_dump_json().encode(), media_type="application/json"
                )
        return manifest

    def _reader(self) -> Callable[[str], bytes]:
        """Reads a named file from another thread than the loop's, with the checks of any location."""
        loop = asyncio.get_running_loop()

        async def content(location: str) -> bytes:
            files = await self._locations.files(location)
            try:
                if len(files) > 1 or files[0].path.stat().st_size > MAX_IMAGE_BYTES:
                    raise Unusable(f"{location!r} is not one small file.", "Name one image.")
                return await asyncio.to_thread(files[0].path.read_bytes)
            finally:
                await self._locations.release(files)

        return lambda location: asyncio.run_coroutine_threadsafe(content(location), loop).result()

    async def _keep_images(self, images: ImageIntake | None) -> None:
        """Before the rows that name them: where a snapshot is, its images are."""
        for key, path in images.kept.items() if images else ():
            if not await self._store.exists(key):
                await self._store.put_file(key, path, media_type=media_type_of_key(key))

    async def _complete(self, prefix: str) -> bool:
        try:
            SnapshotManifest.model_validate_json(await self._store.get_bytes(f"{prefix}/manifest.json"))
        except (ObjectNotFound, ValidationError):
            return False
        return True


def _digest_in(location: str) -> str:
    digest = location.removeprefix("sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Unusable(f"{location!r} is not a snapshot's digest.", "A digest is sha256: and 64 hexadecimal digits.")
    return digest


def write_rows(
    files: Sequence[SourceFile],
    needs: Needs,
    target: Path,
    source: str,
    sample: RowSample,
    images: ImageIntake | None = None,
) -> SnapshotManifest:
    """Writes the canonical JSONL of all rows to `target`, and shows each row to `sample`. Raises Unusable.

    With `images`, those of the rows are kept there and named in their place."""
    checker = RowChecker(needs)
    most = max(ALWAYS_FINE_BYTES, MOST_GROWTH * sum(file.path.stat().st_size for file in files))
    with target.open("wb") as sink:
        written = _Written()
        for file in files:
            prefix = f"{file.name}, " if len(files) > 1 else ""
            beside = source.rpartition("/")[0] if file.copied else str(file.path.parent)
            for where, row in _rows(file, checker, prefix):
                checker.check(where, row)
                if images is not None:
                    row = images.row(where, row, beside)
                line = _canonical_line(where, row, checker)
                sink.write(line)
                sample.take(line)
                written.add(row, line)
                if written.size > most:
                    raise _too_much(f"{where} brings it to more than {MOST_GROWTH} times the file's size.")
    checker.finish()
    if not written.rows:
        raise Unusable("holds no rows.", "Check the file that was given, and how it was written.")
    return written.manifest(source)


class _Written:
    """What a snapshot's manifest says of its rows, kept up row by row."""

    def __init__(self) -> None:
        self.rows = 0
        self.size = 0
        self._uses: dict[str, int] = {}
        self._hasher = hashlib.sha256()

    def add(self, row: Mapping[str, Any], line: bytes) -> None:
        self._hasher.update(line)
        self.rows += 1
        self.size += len(line)
        for column in row:
            self._uses[column] = self._uses.get(column, 0) + 1

    def manifest(self, source: str) -> SnapshotManifest:
        return SnapshotManifest(
            digest=self._hasher.hexdigest(),
            rows=self.rows,
            size=self.size,
            columns=tuple(self._uses),
            formats=formats_of(column for column, uses in self._uses.items() if uses == self.rows),
            source=source,
        )


def _too_much(message: str) -> Unusable:
    """What a file unpacks to is bounded: a small one may hold any amount of the same."""
    return Unusable(message, "Check how the file was written; a row holds text, not a whole data set.")


def _canonical_line(where: str, row: dict[str, Any], checker: RowChecker) -> bytes:
    try:
        return canonical_json(row) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        checker.broken(f"{where} holds a value that has no JSON form ({error})")
        return b""


def _rows(file: SourceFile, checker: RowChecker, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.path.open("rb") as source:
        magic = source.read(4)
    if magic == PARQUET_MAGIC or file.name.endswith(".parquet"):
        return _parquet_rows(file, prefix)
    if file.name.endswith(JSONL_SUFFIXES):
        return _jsonl_rows(file, checker, prefix)
    raise Unusable(f"{file.name!r} is neither JSONL nor Parquet.", "Give a .jsonl or .parquet file.")


def _jsonl_rows(file: SourceFile, checker: RowChecker, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.path.open("rb") as source:
        lines = iter(lambda: source.readline(MAX_LINE_BYTES + 1), b"")
        for number, line in enumerate(lines, start=1):
            where = f"{prefix}line {number}"
            if len(line) > MAX_LINE_BYTES:
                raise _too_much(f"{where} is longer than {MAX_LINE_BYTES // 2**20} MiB.")
            if not line.strip():
                continue
            try:
                row = pydantic_core.from_json(line, allow_inf_nan=False)
            except ValueError as error:
                checker.broken(f"{where} is not JSON ({error})")
                continue
            if isinstance(row, dict):
                yield where, row
            else:
                checker.broken(f"{where} is JSON but not an object")


def _parquet_rows(file: SourceFile, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        number = 0
        with pyarrow.parquet.ParquetFile(file.path) as table:
            for batch in table.iter_batches(batch_size=BATCH_ROWS):
                if batch.nbytes > MAX_BATCH_BYTES:
                    raise _too_much(f"{prefix}the {BATCH_ROWS} rows from row {number + 1} hold over 1 GiB.")
                for row in batch.to_pylist():
                    number += 1
                    yield f"{prefix}row {number}", row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        # The last two: texts that are not UTF-8, days that no calendar of ours has.
        raise Unusable(f"{file.name!r} is not readable Parquet: {error}.", "Write the file again.") from error
