"""How familiar a model is with every item's text: Min-K% and Min-K%++, for a model that may have read it in training.

States scores alone; what is high for an item is seen beside other items or another model, never by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from assay_chassis.object_store import SyncObjectStore
from assay_schemas.results import Membership

from assay_evaluator.failures import bad_input
from assay_evaluator.tables import MEDIA_TYPE, parquet_bytes, table_schema

if TYPE_CHECKING:
    import torch

SCHEMA_NAME = "membership/1"
COLUMNS: dict[str, tuple[str, str]] = {
    "item_id": ("string", "the item, as in the samples"),
    "tokens": ("int32", "tokens of the item's texts that were scored: all but the first"),
    "min_k": ("double", "mean log-probability of the least likely share of them; null: fewer than two tokens"),
    "min_k_plus_plus": (
        "double",
        "the same of log-probabilities set against what the model expected there; null: unknown",
    ),
}
OPTIONAL = frozenset({"min_k", "min_k_plus_plus"})
Scores = tuple[int, float | None, float | None]
SMALLEST_VARIANCE = 1e-10


def min_k(logits: torch.Tensor, ids: torch.Tensor, share: float) -> Scores:
    """Tokens, Min-K% and Min-K%++ from the logits [tokens, vocabulary] before each token of `ids` [tokens].

    Min-K% (Shi et al. 2024, section 3): the mean log-probability of the `share` of tokens that were least likely.
    Min-K%++ (Zhang et al. 2024, equation 3): the same over (log p - mean) / deviation, both over the vocabulary.
    """
    if not len(ids):
        return 0, None, None
    log_p = logits.double().log_softmax(-1)
    p = log_p.exp()
    chosen = log_p.gather(1, ids[:, None]).squeeze(1)
    mean = (p * log_p).sum(-1)
    variance = (p * log_p.square()).sum(-1) - mean.square()
    normalised = (chosen - mean) / variance.clamp_min(SMALLEST_VARIANCE).sqrt()
    least, least_normalised = (mean_of_least(values.tolist(), share) for values in (chosen, normalised))
    return len(ids), least, least_normalised


def min_k_alone(logprobs: Sequence[float], share: float) -> Scores:
    """Tokens and Min-K% from the log-probabilities of a text's tokens but the first.

    For engines that say nothing of the tokens that might have stood there: without those there is no Min-K%++.
    """
    return (len(logprobs), mean_of_least(logprobs, share), None) if logprobs else (0, None, None)


def mean_of_least(values: Sequence[float], share: float) -> float:
    """The mean of the share of values that are smallest; of one at least."""
    count = max(1, int(len(values) * share))
    return math.fsum(sorted(values)[:count]) / count


def membership_of(lm: Any, texts: Mapping[str, Sequence[str]], share: float) -> dict[str, Scores]:
    """Every item's scores over its texts, a line each. Raises JobFailed for an engine that cannot say them."""
    score = getattr(lm, "membership", None)
    if score is None:
        raise bad_input("parameters.min_k: needs every token's probability, and a reward model has none; leave it out")
    asked = [SimpleNamespace(args=("\n".join(parts), share), task_name="") for parts in texts.values()]
    return {item: (tokens, first, second) for item, (tokens, first, second) in zip(texts, score(asked), strict=True)}


def stored(store: SyncObjectStore, key: str, scores: Mapping[str, Scores], share: float) -> Membership:
    """The scores as a Parquet file at `key`, and what the manifest says of them."""
    rows = [dict(zip(COLUMNS, (item, *found), strict=True)) for item, found in scores.items()]
    table = parquet_bytes(rows, table_schema(SCHEMA_NAME, COLUMNS, OPTIONAL))
    reference = store.put_bytes(key, table, media_type=MEDIA_TYPE)
    return Membership(
        scores=reference,
        share=share,
        items=sum(tokens > 0 for tokens, _, _ in scores.values()),
        min_k=_mean([first for _, first, _ in scores.values()]),
        min_k_plus_plus=_mean([second for _, _, second in scores.values()]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
