"""What training tests stand on: a tiny language model with a byte tokenizer, data, and requests to train on it.

Never starts a process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_schemas.jobs import TrainingInputs, TrainingRequest, job_key

CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
MODEL_DIGEST = "a" * 64


def build_tokenizer(chat_template: str | None = None) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<bos>", "<eos>", "<pad>"]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    built = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", model_max_length=512
    )
    built.chat_template = chat_template
    return built


def build_model(seed: int = 0) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=259,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=256,
        eos_token_id=257,
        pad_token_id=258,
    )
    return LlamaForCausalLM(config)


def save_seeing(folder: Path) -> None:
    """A LLaVA around `build_model`'s, with the tokenizer: what looks has no part in a pass over text."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration

    alone = build_model()
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    vision = CLIPVisionConfig(**sizes, num_attention_heads=2, image_size=8, patch_size=4, projection_dim=16)
    config = LlavaConfig(vision_config=vision, text_config=alone.config, image_token_index=258)
    whole = LlavaForConditionalGeneration(config)
    whole.model.language_model.load_state_dict(alone.model.state_dict())
    whole.lm_head.load_state_dict(alone.lm_head.state_dict())
    whole.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    (folder / "processor_config.json").write_text("{}")


def sums(count: int) -> list[dict[str, Any]]:
    """Rows of additions, of lengths that differ."""
    return [
        {"prompt": f"{first} + {first * 7 % 83} = ", "completion": f"{first + first * 7 % 83}" + "." * (first % 9)}
        for first in range(count)
    ]


def preferences(count: int) -> list[dict[str, Any]]:
    """Pairs of answers of different lengths to questions of different lengths."""
    return [
        {"prompt": f"{n}+{n * 7 % 83}=", "chosen": f"{n + n * 7 % 83}" + "." * (n % 5), "rejected": "no" * (1 + n % 4)}
        for n in range(count)
    ]


class Ground:
    """A store in a folder, with a dataset and a model in it, and the requests that use them."""

    def __init__(self, root: Path, model_folder: Path) -> None:
        self.root = root
        self.model = ModelRef(uri=model_folder.as_uri(), digest=MODEL_DIGEST, name="tiny")

    def dataset(self, rows: list[dict[str, Any]]) -> DatasetRef:
        return self.raw_dataset(snapshot_bytes(rows), len(rows))

    def raw_dataset(self, data: bytes, rows: int = 1) -> DatasetRef:
        digest = sha256_hex(data)
        folder = self.root / "datasets" / digest
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.jsonl").write_bytes(data)
        return DatasetRef(uri=(folder / "rows.jsonl").as_uri(), digest=digest, rows=rows)

    def request(
        self,
        dataset: DatasetRef | None = None,
        *,
        attempt: int = 1,
        seed: int = 0,
        algorithm: str = "SFT",
        interventions: Sequence[dict[str, Any]] = (),
        **changes: Any,
    ) -> TrainingRequest:
        data = dataset or self.dataset(sums(64))
        defaults = {"steps": 10, "batch_size": 8, "learning_rate": 1e-3, "max_length": 64}
        inputs = TrainingInputs(
            algorithm=algorithm,
            engine_version="1",
            model=self.model.digest,
            dataset=data.digest,
            hyperparameters={**defaults, **changes},
            interventions=list(interventions),
            seed=seed,
        )
        return TrainingRequest(job_key=job_key(inputs), attempt=attempt, inputs=inputs, model=self.model, dataset=data)


class Watched:
    """Stands for the job's context: remembers progress, and asks to stop after a given step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self._stop_after = stop_after
        self.stop = threading.Event()

    def report_progress(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def should_stop(self) -> bool:
        reached = bool(self.records) and self._stop_after is not None and self.records[-1]["step"] >= self._stop_after
        return self.stop.is_set() or reached


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
