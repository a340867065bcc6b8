"""Plans and results in the store: what was referred to once stays as it is."""

from __future__ import annotations

from assay_chassis.object_store.memory import MemoryStore
from assay_scheduler.documents import keep_document

ID = "00000000-0000-5000-8000-000000000000"


async def test_a_replica_that_comes_late_changes_nothing_that_was_referred_to() -> None:
    store = MemoryStore()
    first = await keep_document(store, ID, "plan", b'{"reused": 0}')
    late = await keep_document(store, ID, "plan", b'{"reused": 3}')
    assert await store.get_bytes(first) == b'{"reused": 0}'
    assert first.uri != late.uri


async def test_a_document_is_found_by_the_experiment_alone() -> None:
    store = MemoryStore()
    await keep_document(store, ID, "result", b"{}")
    assert await store.get_bytes(f"experiments/{ID}/result.json") == b"{}"
