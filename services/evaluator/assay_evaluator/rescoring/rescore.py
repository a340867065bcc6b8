"""A table of samples judged again: new answers, scores and scorer, and what that changes in sum.

Values in, values out; failed items stay failed, and an item that the new scorer cannot judge fails too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.several import metrics_of
from assay_evaluator.rescoring.scorers import ByBenchmark, Judged, Scorer, Stored, without_responses
from assay_evaluator.samples import parquet_schema
from assay_evaluator.scoring import interval_of_mean

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = ("item_id", "response", "target", "score", "details", "error")
Scores = Sequence[float | None]


class NotSamples(ValueError):
    """The table lacks a column that samples have, or responses where a scorer reads them."""


@dataclass(frozen=True)
class Change:
    """Means over items before and after, with 95 % intervals; how many responses gained, lost or now fail."""

    scorer: str
    items: int
    before: float | None
    after: float | None
    before_interval: tuple[float, float] | None
    after_interval: tuple[float, float] | None
    gained: int
    lost: int
    failed: int
    metrics: dict[str, float] = field(default_factory=dict)


def rescore(samples: pa.Table, scorer: Scorer) -> tuple[pa.Table, Change]:
    """The same samples with new `extracted`, `score`, `scorer` and `error`. Raises NotSamples."""
    if missing := [name for name in NEEDED if name not in samples.column_names]:
        raise NotSamples(f"the file has no column {', '.join(missing)}; give the samples.parquet of an evaluation")
    if isinstance(scorer, ByBenchmark) and "scorer" in samples.column_names:
        _refuse_likelihoods(samples.column("scorer").to_pylist())
    columns = {name: samples.column(name).to_pylist() for name in NEEDED}
    judged = [_judge(scorer, *row) for row in zip(*(columns[name] for name in NEEDED[1:]), strict=True)]
    after = [one.score if isinstance(one, Judged) else None for one in judged]
    errors = ["" if isinstance(one, Judged) else one for one in judged]
    replaced: dict[str, list[Any]] = {
        "extracted": [one.extracted if isinstance(one, Judged) else None for one in judged],
        "score": after,
        "scorer": [scorer.name] * len(judged),
        "error": errors,
    }
    before: list[float | None] = columns["score"]
    votes = [one.vote if isinstance(one, Judged) else None for one in judged]
    change = _change(scorer.name, columns["item_id"], before, after, votes)
    return _table(samples, replaced), change


def _refuse_likelihoods(scored_by: Sequence[str]) -> None:
    """Raises NotSamples where there are no responses to read an answer from."""
    for name in dict.fromkeys(scored_by):
        if without_responses(name or ""):
            raise NotSamples(
                f"{name.partition('/')[0]} compares likelihoods, so there is no response to read again; "
                "`--scorer stored` takes another value that was stored"
            )


def _judge(scorer: Scorer, response: str, target: str, _score: float | None, details: str, error: str) -> Judged | str:
    if error:
        return error
    known = json.loads(details) if details else {}
    answer = known.get("answer")
    try:
        return scorer.judge(Stored(response, answer if isinstance(answer, str) else target, known))
    except UnusableItem as unusable:
        return str(unusable)


def _change(name: str, items: Sequence[str], before: Scores, after: Scores, votes: Sequence[Hashable | None]) -> Change:
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old is not None and new is not None]
    old_means, new_means = _item_means(items, before), _item_means(items, after)
    return Change(
        scorer=name,
        items=len(set(items)),
        before=_mean(old_means),
        after=_mean(new_means),
        before_interval=interval_of_mean(old_means, _mean(old_means) or 0.0),
        after_interval=interval_of_mean(new_means, _mean(new_means) or 0.0),
        gained=sum(new > old for old, new in pairs),
        lost=sum(new < old for old, new in pairs),
        failed=sum(score is None for score in after),
        metrics=_several(items, after, votes),
    )


def _item_means(items: Sequence[str], scores: Scores) -> list[float]:
    """Each item's mean over its responses; an item with a failed response has none."""
    by_item: defaultdict[str, list[float | None]] = defaultdict(list)
    for item, score in zip(items, scores, strict=True):
        by_item[item].append(score)
    whole = [[score for score in one if score is not None] for one in by_item.values() if None not in one]
    return [sum(one) / len(one) for one in whole]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _several(items: Sequence[str], scores: Scores, votes: Sequence[Hashable | None]) -> dict[str, float]:
    """pass@k and maj@k over items, where every item has equally many responses and none failed."""
    by_item: defaultdict[str, tuple[list[Hashable | None], list[float]]] = defaultdict(lambda: ([], []))
    for item, score, vote in zip(items, scores, votes, strict=True):
        if score is not None:
            by_item[item][0].append(vote)
            by_item[item][1].append(score)
    if len({len(scored) for _, scored in by_item.values()}) != 1:
        return {}
    voting = any(vote is not None for vote in votes)
    found = [metrics_of(given if voting else None, scored) for given, scored in by_item.values()]
    return {name: sum(one[name] for one in found) / len(found) for name in found[0]}


def _table(samples: pa.Table, replaced: dict[str, list[Any]]) -> pa.Table:
    import pyarrow as pa

    schema = parquet_schema()
    columns = []
    for wanted in schema:
        if wanted.name in replaced:
            columns.append(pa.array(replaced[wanted.name], type=wanted.type))
        elif wanted.name in samples.column_names:
            columns.append(samples.column(wanted.name).cast(wanted.type))
        else:
            empty = None if wanted.nullable else _nothing(wanted.type)
            columns.append(pa.array([empty] * len(samples), type=wanted.type))
    return pa.table(columns, schema=schema)


def _nothing(kind: pa.DataType) -> Any:
    """What stands in a column that the file was written before, and that is never null."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return []
    return "" if pa.types.is_string(kind) else 0
