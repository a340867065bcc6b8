"""Which checkpoints stay, and how many wait on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("losses", "newest", "expected"),
    [
        ({2: 3.0, 4: 2.0, 6: 4.0}, None, {2, 4, 6}),
        ({2: 3.0, 4: 2.0, 6: 4.0}, 1, {4, 6}),
        ({2: 3.0, 4: 2.0, 6: 1.0}, 1, {6}),
        ({2: 1.0, 4: 1.0, 6: 1.0}, 1, {2, 6}),
        ({2: None, 4: None, 6: None}, 2, {4, 6}),
        ({2: None}, 5, {2}),
    ],
)
def test_the_newest_and_the_best_stay(losses: dict[int, float | None], newest: int | None, expected: set[int]) -> None:
    from assay_trainer.checkpoints.writer import kept

    assert kept(losses, newest) == expected


class SlowStore:
    """Takes the next folder when it is let."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)

    def put_tree(self, prefix: str, folder: Path) -> Any:
        from assay_chassis.object_store.base import Tree

        assert self.let.acquire(timeout=20)
        return Tree("s3://bucket/tree", "0" * 64, 0, ())

    def put_bytes(self, key: str, value: bytes, media_type: str) -> None: ...

    def delete_prefix(self, prefix: str) -> None: ...

    def uri(self, key: str) -> str:
        return f"s3://bucket/{key}"


@contextmanager
def held_up(take: Callable[[int], None], store: SlowStore) -> Iterator[None]:
    """Five checkpoints are taken: two are on their way, and the third waits for the store until this ends."""
    taken = [threading.Event() for _ in range(5)]

    def take_all() -> None:
        for step, done in enumerate(taken, start=1):
            take(step)
            done.set()

    training = threading.Thread(target=take_all)
    training.start()
    assert taken[1].wait(10)
    assert not taken[2].wait(0.2)
    yield
    for _ in range(2 * len(taken)):
        store.let.release()
    training.join(10)
    assert taken[-1].is_set()


def test_a_slow_store_holds_up_the_training_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_trainer.checkpoints import writer as module

    monkeypatch.setattr(module, "export_model", lambda *_: None)
    monkeypatch.setattr(module, "export_state", lambda _, resume: resume.mkdir())
    store, stepper = SlowStore(), SimpleNamespace(model=None)
    writer = module.CheckpointWriter(cast("Any", store), "a" * 64, 1, tmp_path, None, tmp_path)
    with held_up(lambda step: writer.take(cast("Any", stepper), step, None, b""), store):
        pass
    writer.close()
    assert not list(tmp_path.iterdir())


def test_a_slow_store_holds_up_several_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay_trainer.checkpoints.writer import CheckpointWriter
    from assay_trainer.parallel import checkpoints as module

    told: list[float] = []

    def tell(values: list[float], _: Any) -> list[float]:
        told.extend(values)
        return values

    for name in ("export_model", "save_file", "write_optimizer"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(module, "gathered", lambda *_: {})
    monkeypatch.setattr(module, "sum_over_all", tell)
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)
    store = SlowStore()
    writer = CheckpointWriter(cast("Any", store), "a" * 64, 1, tmp_path, None, tmp_path)
    world = SimpleNamespace(lead=True, device=None)
    plain = SimpleNamespace(load_state_dict=lambda *_, **__: None, tie_weights=lambda: None)
    spread = module.SpreadCheckpoints(
        cast("Any", world), writer, lambda: plain, None, tmp_path, tmp_path, lambda _: iter(())
    )
    stepper = SimpleNamespace(model=None, optimizer=None, own_tensors=dict)
    with held_up(lambda step: spread.take(cast("Any", stepper), step, None, b""), store):
        assert told.count(1.0) > 1, "the others are told again and again that the lead still waits"
    spread.close()
    assert not list(tmp_path.iterdir())
