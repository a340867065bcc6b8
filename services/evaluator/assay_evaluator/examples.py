"""Which items are shown as examples in an item's prompt: the harness's own draw, and none that hangs together with it.

Never shows an item its own cluster, whose answers it would give away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from lm_eval.api.samplers import ContextSampler

from assay_evaluator.benchmarks.base import Document
from assay_evaluator.failures import bad_input


class OfOtherClusters(ContextSampler):  # type: ignore[misc]
    """Draws as the harness does, and once more for an item of whose cluster something was drawn.

    That second draw is from the items of other clusters, by the item's id. So an item without a cluster is asked with
    the same examples whether or not others have one.
    """

    def __init__(self, documents: Sequence[Document], clusters: Mapping[str, str]) -> None:
        super().__init__(documents)
        self._clusters = clusters
        self._seed: int | None = None

    def set_rnd(self, rnd: int | None) -> OfOtherClusters:
        self._seed = rnd
        super().set_rnd(rnd)
        return self

    def sample(self, n: int, eval_doc: Document | None = None, **_: object) -> Sequence[Document]:
        drawn: Sequence[Document] = super().sample(n, eval_doc)
        own = self._clusters.get(eval_doc["id"]) if eval_doc else None
        if eval_doc is None or own is None or all(self._cluster(one) != own for one in drawn):
            return drawn
        others = [one for one in self.fewshot_docs() if self._cluster(one) != own]
        return Random(f"{self._seed}\x1f{eval_doc['id']}").sample(others, n)

    def _cluster(self, document: Document) -> str | None:
        return self._clusters.get(document["id"])


def check_enough(wanted: int, usable: Sequence[str], clusters: Mapping[str, str], asked: Sequence[str]) -> None:
    """Raises JobFailed where an asked item has fewer than `wanted` usable items to show before it."""
    if wanted >= len(usable):
        raise bad_input(f"parameters.num_fewshot: {wanted} examples need more than {len(usable)} usable items")
    sizes: dict[str, int] = {}
    for item in usable:
        if item in clusters:
            sizes[clusters[item]] = sizes.get(clusters[item], 0) + 1
    for item in asked:
        cluster = clusters.get(item)
        if cluster is not None and len(usable) - sizes[cluster] < wanted:
            raise bad_input(
                f"parameters.num_fewshot: {wanted} examples for the items of cluster {cluster!r} need as many items of "
                f"other clusters, and there are {len(usable) - sizes[cluster]}"
            )
