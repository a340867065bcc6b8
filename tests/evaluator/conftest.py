"""A tiny Llama with a tokenizer of single bytes, items, and requests over them.

Built once a session from a fixed seed; never downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.object_store import FileStore, SyncObjectStore
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.artifacts import DatasetRef, ModelRef, rows_key
from assay_schemas.canonical import digest_of, sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_schemas.jobs import EvalInputs, EvalRequest, job_key
from assay_schemas.results import EvalResult, Sample

HARNESS = "lm-eval-0.4.13"
Ask = Callable[..., EvalRequest]
Evaluated = Callable[..., tuple[EvalResult, list[Sample]]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights: 256 byte tokens, end, begin and padding; context 256."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    symbols = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<bos>", "<eos>", "<pad>"]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: place for place, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", model_max_length=256
    )
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.25,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SyncObjectStore]:
    with SyncObjectStore(FileStore(tmp_path / "store")) as opened:
        yield opened


@pytest.fixture
def ask(model: Path, store: SyncObjectStore) -> Ask:
    """Makes the request for a benchmark over rows, whose snapshot is put into the store."""

    def request(
        benchmark: str, rows: Sequence[dict[str, Any]] | None, parameters: dict[str, Any] | None = None, **inputs: Any
    ) -> EvalRequest:
        items = None if rows is None else snapshot(store, rows)
        model_ref = ModelRef(uri=model.as_uri(), digest=digest_of(model.name))
        declared = EvalInputs(
            model=model_ref.digest,
            benchmark=benchmark,
            harness_version=inputs.pop("harness_version", HARNESS),
            parameters=parameters or {},
            items=items.digest if items else None,
            **inputs,
        )
        return EvalRequest(job_key=job_key(declared), attempt=1, inputs=declared, model=model_ref, items=items)

    return request


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all processes of a session keep the harness's index of tasks, which takes seconds to make."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "evaluation"


@pytest.fixture
def evaluated(ask: Ask, store: SyncObjectStore, cache: Path) -> Evaluated:
    """Evaluates a benchmark over rows in this process, on the engine `resident` if it is given: the result and every
    sample of it."""

    def evaluation(*arguments: Any, resident: Any = None, **inputs: Any) -> tuple[EvalResult, list[Sample]]:
        from assay_evaluator.progress import EvaluationProgress
        from assay_evaluator.worker import evaluate

        progress = EvaluationProgress(lambda _: None)
        result = evaluate(ask(*arguments, **inputs), store, cache, progress, resident)
        return result, samples_from_parquet(store.get_bytes(result.samples))

    return evaluation


@pytest.fixture(scope="session")
def sums() -> list[dict[str, Any]]:
    """Forty additions as questions, with their answers, worked solutions and choices."""
    rows = []
    for number in range(40):
        left, right = 3 * number + 1, 7 * number % 19
        total = left + right
        rows.append(
            {
                "id": f"sum-{number}",
                "prompt": f"{left} + {right} = ?\nAnswer:",
                "answer": f"{total}",
                "completion": f" {left} + {right} = {total}\n#### {total}",
                "choices": [str(total), str(total + 1), str(total + 10)],
            }
        )
    return rows


def snapshot(store: SyncObjectStore, rows: Sequence[dict[str, Any]]) -> DatasetRef:
    data = snapshot_bytes(rows)
    digest = sha256_hex(data)
    reference = store.put_bytes(rows_key(digest), data)
    return DatasetRef(uri=reference.uri, digest=digest, rows=len(rows))
