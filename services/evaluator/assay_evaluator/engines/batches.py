"""Which requests the harness's own transformers model computes together, found without computing anything.

Uses the harness's own sorting and grouping, so that a batch computed alone is the batch it would have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_eval.models.utils import Collator, normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows

Planned = list[tuple[list[int], float]]
Tokens = Sequence[int]


def batches_of(lm: Any, kind: str, requests: Sequence[Any]) -> Planned:
    """The requests' places by batch, in the harness's order, each with its cost: rows times longest row."""
    if kind == "generate_until":
        return _of_generations(lm, [request.args for request in requests])
    if kind == "loglikelihood":
        return _of_likelihoods(lm, [_encoded(lm, *request.args) for request in requests])
    return _of_texts(lm, [request.args[0] for request in requests])


def _of_generations(lm: Any, asked: Sequence[tuple[str, dict[str, Any]]]) -> Planned:
    lengths = [len(lm.tok_encode(prompt)) for prompt, _ in asked]
    order = Collator(
        [(prompt, settings, place) for place, (prompt, settings) in enumerate(asked)],
        sort_fn=lambda one: (-lengths[one[2]], one[0]),
        group_by="gen_kwargs",
        group_fn=lambda one: one[1],
    )
    planned: Planned = []
    for chunk in order.get_batched(n=lm.batch_size):
        places = [place for _, _, place in chunk]
        new = normalize_gen_kwargs(chunk[0][1], lm.max_gen_toks)["max_gen_toks"]
        planned.append((places, float(len(places) * (max(lengths[place] for place in places) + new))))
    return planned


def _of_likelihoods(lm: Any, pairs: Sequence[tuple[Tokens, Tokens]]) -> Planned:
    """Requests that differ in their last token alone share a row; what cannot be computed goes with the first batch."""
    impossible = [place for place, (_, after) in enumerate(pairs) if not 0 < len(after) <= lm.max_length]
    possible = [(place, *pair) for place, pair in enumerate(pairs) if place not in set(impossible)]
    sharing: dict[tuple[int, ...], list[int]] = {}
    for place, before, after in possible:
        sharing.setdefault((*before, *after[:-1]), []).append(place)
    order = Collator(
        possible,
        sort_fn=lambda one: (-len(one[1] + one[2]), tuple(one[1] + one[2])),
        group_by="contexts",
        group_fn=lambda one: one[1] + one[2][:-1],
    )
    planned: Planned = []
    for chunk in order.get_batched(n=lm.batch_size):
        rows = [(*before, *after[:-1]) for _, before, after in chunk]
        places = sorted(place for row in rows for place in sharing[row])
        planned.append((places, float(len(rows) * max(map(len, rows)))))
    if impossible:
        first, cost = planned[0] if planned else ([], 0.0)
        planned[:1] = [(sorted([*first, *impossible]), cost)]
    return planned


def _encoded(lm: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Tokens of a pair as the harness splits them."""
    if context:
        before, after = lm._encode_pair(context, continuation)
        return list(before), list(after)
    after = lm.tok_encode(continuation, add_special_tokens=False)
    if after and after[0] == lm.prefix_token_id:
        return after[:1], after[1:]
    return [lm.prefix_token_id], after


def _of_texts(lm: Any, texts: Sequence[str]) -> Planned:
    """Whole texts are cut into windows, and windows batched in order: a batch ends where both do."""
    planned: Planned = []
    places: list[int] = []
    windows, tokens = 0, 0
    for place, text in enumerate(texts):
        found = list(get_rolling_token_windows(lm.tok_encode(text), lm.prefix_token_id, lm.max_length, context_len=1))
        places.append(place)
        windows += len(found)
        tokens += sum(len(after) for _, after in found)
        if windows % lm.batch_size == 0:
            planned.append((places, float(tokens)))
            places, tokens = [], 0
    return [*planned, (places, float(tokens))] if places else planned
