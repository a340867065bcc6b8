"""What the object store says about a job: manifests of successes, completions and logs of attempts.
Never deletes anything, and never writes a record that is not whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_schemas.artifacts import ArtifactRef, manifest_key, result_prefix
from assay_schemas.canonical import sha256_hex
from assay_schemas.events import JobCompleted
from assay_schemas.results import Manifest

from assay_chassis.job_service.job_type import JobType
from assay_chassis.object_store.base import ObjectStore
from assay_chassis.object_store.blocking import SyncObjectStore
from assay_chassis.object_store.errors import ObjectNotFound

MANIFEST = "manifest.json"
COMPLETION = "completion.json"
LOG = "log.txt"
LIVE_LOG = "log-live.txt"
"""The last lines of a run that has not ended; out of date once `log.txt` is there."""


async def write_manifest(store: ObjectStore, manifest: Manifest) -> ArtifactRef:
    """Write an attempt's result manifest. Call it last: from then on the attempt has succeeded."""
    key = manifest_key(manifest.job_key, manifest.attempt)
    return await store.put_bytes(key, manifest_bytes(manifest), media_type="application/json")


def manifest_bytes(manifest: Manifest) -> bytes:
    """What lies at `manifest_key`, for a worker that writes it without an event loop."""
    return manifest.model_dump_json(by_alias=True).encode()


def has_ended(store: SyncObjectStore, job_key: str, attempt: int) -> bool:
    """Whether an attempt's end is written, for a worker that is about to begin: a service that stood still between its
    look and its request may start a run again that another has seen to its end."""
    records = manifest_key(job_key, attempt), completion_key(job_key, attempt)
    return any(store.exists(record) for record in records)


def completion_key(job_key: str, attempt: int) -> str:
    """Where what was said about an attempt's end lies."""
    return f"{result_prefix(job_key, attempt)}/{COMPLETION}"


@dataclass(frozen=True)
class KnownEnds:
    """The attempts of one job that left a manifest, and those that left a completion."""

    succeeded: list[int] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)

    @property
    def newest(self) -> int:
        """The highest attempt that ended in any way; 0 where none did."""
        return max([*self.succeeded, *self.completed], default=0)


class JobRecords:
    """Reads and writes the records of jobs under `results/<job key>/<attempt>/`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def ends(self, job_key: str) -> KnownEnds:
        """Which attempts of a job ended, by one listing."""
        found: dict[str, list[int]] = {MANIFEST: [], COMPLETION: []}
        root = f"results/{job_key}"
        async for entry in self._store.list(root):
            attempt, _, name = self._store.key(entry.uri).removeprefix(f"{root}/").partition("/")
            if name in found and attempt.isdigit():
                found[name].append(int(attempt))
        return KnownEnds(sorted(found[MANIFEST]), sorted(found[COMPLETION]))

    async def manifest(self, job_type: JobType, job_key: str, attempt: int) -> tuple[ArtifactRef, Manifest] | None:
        """The attempt's result manifest and the reference to it; None where the attempt has not succeeded."""
        key = manifest_key(job_key, attempt)
        try:
            data = await self._store.get_bytes(key)
        except ObjectNotFound:
            return None
        reference = ArtifactRef(uri=self._store.uri(key), sha256=sha256_hex(data), size=len(data))
        return reference, job_type.manifest.model_validate_json(data)

    async def completion(self, job_type: JobType, job_key: str, attempt: int) -> JobCompleted:
        """What was said about an attempt's end. Raises ObjectNotFound."""
        data = await self._store.get_bytes(completion_key(job_key, attempt))
        return job_type.completed.model_validate_json(data)

    async def write_completion(self, completion: JobCompleted) -> None:
        """Remember what is about to be published, so that it is never decided twice."""
        key = completion_key(completion.job_key, completion.attempt)
        data = completion.model_dump_json(by_alias=True).encode()
        await self._store.put_bytes(key, data, media_type="application/json")

    async def write_log(self, job_key: str, attempt: int, text: str, *, live: bool = False) -> None:
        key = f"{result_prefix(job_key, attempt)}/{LIVE_LOG if live else LOG}"
        await self._store.put_bytes(key, text.encode(), media_type="text/plain")
