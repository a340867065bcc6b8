"""Plans and results in the object store, under names that nobody can write over with other bytes.

A replica that was overtaken may still write its own version; what another has committed a reference to stays as it is.
"""

from __future__ import annotations

from typing import Literal

from assay_chassis.object_store import ObjectStore
from assay_schemas.artifacts import ArtifactRef, experiment_prefix
from assay_schemas.canonical import sha256_hex

JSON = "application/json"


async def keep_document(
    store: ObjectStore, experiment_id: str, name: Literal["plan", "result"], content: bytes
) -> ArtifactRef:
    """The reference to a document of an experiment. Its plain name, `plan.json`, holds a copy for those who have
    only the experiment's id. Raises StoreUnavailable."""
    prefix = experiment_prefix(experiment_id)
    await store.put_bytes(f"{prefix}/{name}.json", content, media_type=JSON)
    return await store.put_bytes(f"{prefix}/{name}-{sha256_hex(content)[:16]}.json", content, media_type=JSON)
