"""The vLLM engine, in this process: weights are changed in place after each step, without a restart.

vLLM is not in the ordinary environment; only a job that samples with it imports it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from assay_schemas.cost.engine import CPU_CACHE_GIB, SHARE_BESIDE_TRAINING
from torch import Tensor
from torch.distributed.tensor import DTensor

from assay_trainer.errors import BadInput, RolloutEngineLost
from assay_trainer.lora import adapted, merged
from assay_trainer.memory import lacks_memory
from assay_trainer.rollouts.base import Completion, EngineSettings, Sampling

CPU_BLOCK = 32
"""Tokens of a cached block on a processor. vLLM takes 128 there by itself, and only full blocks are shared: the samples
of a prompt of 100 tokens would each read it anew."""
MOST_ROWS = 256
SEEDS = 2**31
KEPT: list[Any] = []


def open_engine(settings: EngineSettings) -> VllmEngine:
    """Raises BadInput where vLLM is not installed."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(CPU_CACHE_GIB))
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # it warns at every change of weights
    try:
        import vllm
    except ImportError as error:
        raise BadInput(
            f"hyperparameters.rollout_engine: vllm cannot be imported here ({error}); install the trainer's extra "
            "`vllm`, or choose transformers"
        ) from error
    return VllmEngine(vllm, settings)


class VllmEngine:
    """Samples of one prompt share its cached prefix; every completion has a seed of its own."""

    def __init__(self, vllm: Any, settings: EngineSettings) -> None:
        self._vllm = vllm
        self._settings = settings
        self._among_others = torch.distributed.is_initialized()
        with _watched():
            self._engine = self._opened(settings)

    def _opened(self, settings: EngineSettings) -> Any:
        """On a GPU with its graphs, as evaluations have it: new weights go into the tensors that these refer to."""
        device = {} if torch.cuda.is_available() else {"enforce_eager": True, "block_size": CPU_BLOCK}
        return self._vllm.LLM(
            model=str(settings.folder),
            dtype=settings.dtype,
            seed=settings.seed,
            enable_prefix_caching=True,
            **device,
            max_model_len=settings.max_tokens,
            max_num_seqs=MOST_ROWS,
            gpu_memory_utilization=SHARE_BESIDE_TRAINING,
            logprobs_mode="processed_logprobs",
            trust_remote_code=False,
            skip_tokenizer_init=True,
        )

    def update_weights(self, model: Any) -> None:
        """In place; what was cached of prompts belongs to the old weights and is dropped."""
        with _watched(), merged(model) if adapted(model) else contextlib.nullcontext():
            self._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": list(_weights(model))})
            self._engine.reset_prefix_cache()

    def generate(
        self, prompts: Sequence[Sequence[int]], samples_each: int, sampling: Sampling, seed: int, first: int = 0
    ) -> list[list[Completion]]:
        asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts for _ in range(samples_each)]
        places = range(first * samples_each, first * samples_each + len(asked))
        options = [self._options(sampling, (seed + 7919 * place) % SEEDS) for place in places]
        with _watched():
            answers = self._engine.generate(asked, options, use_tqdm=False)
        completions = [_completion(answer.outputs[0]) for answer in answers]
        return [completions[at : at + samples_each] for at in range(0, len(completions), samples_each)]

    def _options(self, sampling: Sampling, seed: int) -> Any:
        return self._vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop_token_ids=list(self._settings.end_ids),
            seed=seed,
            logprobs=0,
            detokenize=False,
        )

    def close(self) -> None:
        """An engine that goes takes every process group with it, its makers' too: among several processes it stays
        until this one ends."""
        if torch.distributed.is_initialized() and self._among_others:
            KEPT.append(self._engine)
        self._engine = None


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """What breaks the engine is told as its loss; memory that ran out stays that."""
    try:
        yield
    except Exception as error:  # vLLM has no base class for its errors
        if lacks_memory(error):
            raise
        raise RolloutEngineLost("vllm", f"{type(error).__name__}: {error}"[:500]) from error


def _weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """The plain model's weights by name, whole; a tied head is the embedding again, and is left out."""
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    for name, tensor in model.named_parameters():
        if name not in tied:
            whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            yield name, whole.detach()


def _completion(output: Any) -> Completion:
    tokens = tuple(output.token_ids)
    logprobs = tuple(entry[token].logprob for token, entry in zip(tokens, output.logprobs, strict=True))
    return Completion(tokens, logprobs, "stop" if output.finish_reason == "stop" else "length")
