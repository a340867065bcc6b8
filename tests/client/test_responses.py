"""Responses as a table in a notebook: joined by item, every row there, and a model's text only ever text."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest
from assay.errors import NotFound
from assay_schemas.results import Plan

EVIL = "<script>alert('x')</script>\u202e e\u0301 日本語"
LONG = "x" * 2**20


@pytest.fixture(scope="module")
def tables():
    """The module under test, which loads pandas: no other test of the client needs it."""
    from assay import responses

    return responses


class Kept:
    """A store with one table of samples for each replicate, named by its place."""

    def __init__(self, texts: dict[str, list[str]]) -> None:
        self._texts = texts

    def read_ref(self, name: str) -> bytes:
        metrics = '{"value": 0}'
        digest = "0" * 64
        inputs = f'{{"model": "{digest}", "benchmark": "b", "harness_version": "1", "parameters": {{}}}}'
        return (
            f'{{"job_key": "{digest}", "attempt": 1, "completed_at": "2026-01-01T00:00:00Z", "inputs": {inputs}, '
            f'"items": 2, "primary": "x", "metrics": {{"x": {metrics}}}, "model": {{"uri": "file:///m", '
            f'"digest": "{digest}"}}, "samples": {{"uri": "{name}", "sha256": "{digest}", "size": 1}}}}'
        ).encode()

    def read_table(self, ref) -> pa.Table:
        texts = self._texts[ref.uri]
        return pa.table({
            "item_id": [f"i{n}" for n in range(len(texts))], "sample_index": [0] * len(texts),
            "prompt": ["?"] * len(texts), "target": ["1"] * len(texts), "response": texts,
            "extracted": texts, "score": [float(text == "right") for text in texts],
        })  # fmt: skip


def experiment(texts: dict[str, list[str]]):
    replicates = [SimpleNamespace(arm=name, seed=None if name == "control" else 0, evals={"b": name}) for name in texts]
    benchmarks = [SimpleNamespace(id="b", higher_is_better=True)]
    plan = Plan.model_construct(benchmarks=benchmarks, replicates=replicates)
    return plan, SimpleNamespace(ends=[SimpleNamespace(key=name, result=name) for name in texts]), Kept(texts)


def test_flips_are_joined_by_item_and_losses_come_first(tables):
    found = experiment({"control": ["right", "wrong"], "clean": ["wrong", "right"]})
    frame = tables.responses(*found, "b", flips=True)
    assert list(zip(frame["item_id"], frame["change"], strict=True)) == [("i0", -1.0), ("i1", 1.0)]
    assert list(frame["control_response"]) == ["right", "wrong"]


@pytest.mark.parametrize("text", [EVIL, LONG])
def test_a_models_text_is_whole_in_the_table_and_inert_on_the_page(tables, text):
    found = experiment({"control": ["right"], "clean": [text]})
    for frame in (tables.responses(*found, "b", flips=True), tables.samples(*found, "b")):
        assert text in set(frame["response"])
        shown = frame._repr_html_()
        assert "<script" not in shown.replace("<style scoped>", "")
        assert len(shown) < 10_000


def test_a_benchmark_that_is_not_there_is_named(tables):
    with pytest.raises(NotFound, match="it has b"):
        tables.responses(*experiment({"control": ["right"]}), "c", flips=False)
