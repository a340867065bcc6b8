"""From a location in a specification to local files: paths, globs, file://, s3://.

Reads only under the allowed roots and follows no link out of them; never interprets what it finds.
"""

from __future__ import annotations

import asyncio
import fnmatch
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from assay_chassis.object_store import ObjectNotFound, ObjectStore, ObjectStoreError, StoreUnavailable

from assay_scheduler.intake.unusable import Unusable

GLOB_CHARACTERS = "*?["


@dataclass(frozen=True)
class SourceFile:
    """One file to read; `identity` changes when its content does (place, size and time of change).

    `copied` files lie alone in a folder made for them, and are removed after use.
    """

    path: Path
    name: str
    identity: str
    copied: bool = False


class Locations:
    """Resolves locations. `roots` are the folders that may be read on this machine; none is none.

    `open_bucket` gives the store of another bucket than the system's own. Every method raises Unusable.
    """

    def __init__(
        self,
        store: ObjectStore,
        roots: Sequence[Path],
        scratch: Path,
        open_bucket: Callable[[str], ObjectStore],
    ) -> None:
        self._store = store
        self._roots = [root.resolve() for root in roots]
        self._scratch = scratch
        self._open_bucket = open_bucket

    async def files(self, location: str) -> list[SourceFile]:
        """The files of a path, glob or URI, ordered by name; at least one."""
        if location.startswith("s3://") or location.startswith(self._store.root + "/"):
            return await self._objects(location, whole_folder=False)
        return await asyncio.to_thread(self._local_files, location)

    async def folder(self, location: str) -> list[SourceFile]:
        """The files directly in a folder."""
        if location.startswith("s3://") or location.startswith(self._store.root + "/"):
            return await self._objects(location.rstrip("/"), whole_folder=True)
        return await asyncio.to_thread(self._local_folder, location)

    async def release(self, files: Sequence[SourceFile]) -> None:
        """Removes the copies that were made of objects; files of this machine stay."""
        await asyncio.to_thread(_remove_copies, files)

    def _local_files(self, location: str) -> list[SourceFile]:
        path = self._path(location)
        if any(character in location for character in GLOB_CHARACTERS) and not path.exists():
            self._allowed(_fixed_part(path), location)
            pattern = str(path).lstrip("/")
            matches = [self._allowed(match, location) for match in sorted(Path("/").glob(pattern))]
            found = [match for match in matches if match.is_file()]
            if not found:
                raise Unusable(f"{location!r} matches no file.", "Check the pattern.")
            return [_source(match) for match in found]
        path = self._allowed(path, location)
        if path.is_dir():
            raise Unusable(
                f"{location!r} is a folder.", f"Give a file, or a pattern such as {location.rstrip('/')}/*.jsonl."
            )
        if not path.is_file():
            raise Unusable(f"{location!r} does not exist.", "Check the path; it is read by the scheduler's machine.")
        return [_source(path)]

    def _local_folder(self, location: str) -> list[SourceFile]:
        path = self._allowed(self._path(location), location)
        if path.is_file():
            raise Unusable(f"{location!r} is a file.", "Give the folder that holds config.json and the weights.")
        if not path.is_dir():
            mend = "Check the path; it is read by the scheduler's machine. For a model of the Hub, write hf:org/name."
            raise Unusable(f"{location!r} does not exist.", mend)
        return [_source(self._allowed(entry, location)) for entry in sorted(path.iterdir()) if entry.is_file()]

    def _path(self, location: str) -> Path:
        path = Path(unquote(location.removeprefix("file://")) if location.startswith("file://") else location)
        if not path.is_absolute():
            raise Unusable(f"{location!r} is a relative path.", "Give the whole path, or let the client snapshot it.")
        return path

    def _allowed(self, path: Path, location: str) -> Path:
        """The path itself. Says the same of files that exist and that do not, outside the roots."""
        settled = path.resolve()
        if not any(settled.is_relative_to(root) for root in self._roots):
            mend = "Put it into the object store (`assay data snapshot`), or add its folder to ASSAY_READABLE_ROOTS."
            raise Unusable(f"{location!r} is not under a folder that the scheduler may read.", mend)
        return path

    async def _objects(self, location: str, *, whole_folder: bool) -> list[SourceFile]:
        store, files = self._store_of(location), list[SourceFile]()
        own = store is self._store
        try:
            for name in await self._object_names(store, location, whole_folder):
                files.append(await self._fetched(store, name))
        except BaseException as error:
            _remove_copies(files)
            raise _explained(location, error, own=own) from None
        finally:
            if not own:
                await store.aclose()
        return files

    def _store_of(self, location: str) -> ObjectStore:
        if location.startswith(self._store.root + "/"):
            return self._store
        bucket = location.removeprefix("s3://").partition("/")[0]
        return self._open_bucket(f"s3://{bucket}")

    async def _object_names(self, store: ObjectStore, location: str, whole_folder: bool) -> list[str]:
        plain = not any(character in location for character in GLOB_CHARACTERS)
        if not whole_folder and (plain or await store.exists(location)):  # a name may have brackets of its own
            return [location]
        pattern = f"{location}/*" if whole_folder else location
        first = min(pattern.index(character) for character in GLOB_CHARACTERS if character in pattern)
        folder = pattern[:first].rpartition("/")[0]
        found = [entry.uri async for entry in store.list(folder) if fnmatch.fnmatchcase(entry.uri, pattern)]
        if whole_folder:
            found = [uri for uri in found if "/" not in uri.removeprefix(location + "/")]
        if not found:
            raise Unusable(f"{location!r} holds no object.", "Check the bucket and the key.")
        return sorted(found)

    async def _fetched(self, store: ObjectStore, uri: str) -> SourceFile:
        stat = await store.stat(uri)
        name = uri.rpartition("/")[2]
        target = self._scratch / uuid.uuid4().hex / name
        try:
            await store.get_file(uri, target)
        except BaseException:
            shutil.rmtree(target.parent, ignore_errors=True)
            raise
        return SourceFile(target, name, f"{uri}|{stat.size}|{stat.sha256 or ''}", copied=True)


def _source(path: Path) -> SourceFile:
    stat = path.stat()
    return SourceFile(path, path.name, f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}")


def _explained(location: str, error: BaseException, *, own: bool) -> BaseException:
    """What an error of a store means for who named the location; an outage of our own stays an outage."""
    match error:
        case ObjectNotFound():
            return Unusable(f"{location!r} does not exist.", "Check the bucket and the key.")
        case StoreUnavailable() if own:
            return error
        case ObjectStoreError():
            return Unusable(f"{location!r} cannot be read: {error}.", "Check the address and the access.")
    return error


def _remove_copies(files: Sequence[SourceFile]) -> None:
    for file in files:
        if file.copied:
            shutil.rmtree(file.path.parent, ignore_errors=True)


def _fixed_part(pattern: Path) -> Path:
    """The folder above the first part of a pattern that is not a plain name."""
    parts = list(pattern.parts)
    plain = next(place for place, part in enumerate(parts) if any(character in part for character in GLOB_CHARACTERS))
    return Path(*parts[:plain])
