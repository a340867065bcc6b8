"""Metrics of several responses to one item: the chance that one of k is right, and what most of k say.

Pure; a metric's value for one item, so that the mean over items treats an item's responses as one cluster.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import comb


def sizes(samples: int) -> list[int]:
    """The k that are reported for n responses: powers of two below n, and n itself."""
    return [*(2**power for power in range(samples.bit_length()) if 2**power < samples), samples]


def pass_at(samples: int, right: int, k: int) -> float:
    """The unbiased estimate of the chance that one of k responses is right, of `samples` with `right` right ones.

    1 − C(n − c, k) / C(n, k): Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1.
    """
    return 1.0 - comb(samples - right, k) / comb(samples, k)


def majority(answers: Sequence[Hashable | None], scores: Sequence[float]) -> float:
    """The score of the answer that most responses give; answers that tie share alike, and no answer has no vote."""
    votes: dict[Hashable, int] = {}
    worth: dict[Hashable, float] = {}
    for answer, score in zip(answers, scores, strict=True):
        if answer is not None:
            votes[answer] = votes.get(answer, 0) + 1
            worth.setdefault(answer, score)
    if not votes:
        return 0.0
    leaders = [answer for answer, count in votes.items() if count == max(votes.values())]
    return sum(worth[answer] for answer in leaders) / len(leaders)


def majority_at(answers: Sequence[Hashable | None], scores: Sequence[float], k: int) -> float:
    """The mean score of the majority of k responses, over the disjoint runs of k that there are."""
    starts = range(0, len(scores) - k + 1, k)
    return sum(majority(answers[start : start + k], scores[start : start + k]) for start in starts) / len(starts)


def names_of(samples: int, *, voting: bool = True) -> list[str]:
    """The names of all metrics of this many responses; none for a single one."""
    found = sizes(samples) if samples > 1 else []
    return [*(f"pass@{k}" for k in found), *(f"maj@{k}" for k in found[1:] if voting)]


def metrics_of(answers: Sequence[Hashable | None] | None, scores: Sequence[float]) -> dict[str, float]:
    """One item's `pass@k`, and `maj@k` where its answers can be counted; right is a response whose score is 1."""
    samples, right = len(scores), sum(score == 1.0 for score in scores)
    if samples < 2:
        return {}
    found = {f"pass@{k}": pass_at(samples, right, k) for k in sizes(samples)}
    if answers is None:
        return found
    return found | {f"maj@{k}": majority_at(answers, scores, k) for k in sizes(samples)[1:]}
