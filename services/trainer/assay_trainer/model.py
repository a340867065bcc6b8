"""The base model and its tokenizer from a folder of plain Hugging Face files, ready to be trained.

Reads safetensors only, and never runs code that came with a model.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from assay_schemas.algorithms import ModelKind
from assay_schemas.images import takes_images
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from transformers.utils import logging as transformers_logging

from assay_trainer.errors import BadInput
from assay_trainer.own_attention import choose_attention

SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
HEAD = "score"


def load_tokenizer(folder: Path) -> Any:
    """Raises BadInput where the folder has no tokenizer that can be read."""
    try:
        return AutoTokenizer.from_pretrained(folder, **SAFE)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"base_model: its tokenizer cannot be read ({error}); add the tokenizer's files") from error


def padding_id_of(tokenizer: Any) -> int:
    """The token that fills rows up: the tokenizer's own, else its end of text, else 0."""
    ids = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return next(int(id_) for id_ in ids if id_ is not None)


def load_model(folder: Path, device: torch.device) -> Any:
    """The causal language model with weights in float32, which stay the masters also for bfloat16.

    Of a model that sees, the whole: its rows are text, so the part that looks stays as it is, and is saved with it.

    Raises BadInput where there are no safetensors, or transformers does not know the architecture.
    """
    model, _ = _loaded(AutoModelForImageTextToText if _sees(folder) else AutoModelForCausalLM, folder)
    return _placed(model, device)


def _sees(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and takes_images(config)


def load_scorer(folder: Path, device: torch.device, padding_id: int, seed: int) -> Any:
    """The model with one score a sequence in place of next-token logits, in float32.

    A folder without that head, such as a causal model's, gets one from the seed alone. Raises BadInput as `load_model`.
    """
    model, missing = _loaded(AutoModelForSequenceClassification, folder, num_labels=1)
    model.config.pad_token_id = padding_id
    head = getattr(model, HEAD, None)
    if not isinstance(head, torch.nn.Linear):
        raise BadInput(f"base_model: {type(model).__name__} has no linear layer `{HEAD}`; choose another architecture")
    if f"{HEAD}.weight" in missing:
        spread = float(getattr(model.config, "initializer_range", None) or 0.02)
        torch.nn.init.normal_(head.weight, std=spread, generator=torch.Generator().manual_seed(seed))
    return _placed(model, device)


def _placed(model: Any, device: torch.device) -> Any:
    model = model.to(device)
    choose_attention(model)
    return model


def load(kind: ModelKind, folder: Path, device: torch.device, padding_id: int, seed: int) -> Any:
    """The model that an algorithm trains; `padding_id` and `seed` matter to scorers only."""
    if kind == "causal_lm":
        return load_model(folder, device)
    return load_scorer(folder, device, padding_id, seed)


def _loaded(auto_class: Any, folder: Path, **options: Any) -> tuple[Any, set[str]]:
    """The model, and the names of the weights that its folder lacks."""
    if not any(folder.glob("*.safetensors")):
        raise BadInput("base_model: has no *.safetensors; save it as safetensors, other formats are not read")
    transformers_logging.disable_progress_bar()
    options |= {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True, **SAFE}
    try:
        model, info = auto_class.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BadInput(f"base_model: cannot be loaded ({error}); save it again with save_pretrained") from error
    return model, set(info["missing_keys"])


def recompute_activations(model: Any) -> None:
    """Keep of each layer its input alone, and compute the rest again in the backward pass; while training only.

    Raises BadInput for an architecture that cannot."""
    if not model.supports_gradient_checkpointing:
        raise BadInput(
            f"hardware.activation_checkpointing: {type(model).__name__} has no layers that can be computed again; set "
            "it to false"
        )
    model.gradient_checkpointing_enable({"use_reentrant": False})


def choose_device(gpus: int) -> torch.device:
    """The processor, or the first CUDA device where the job was given one. Raises BadInput where there is none."""
    if gpus == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise BadInput(f"hardware.gpus: {gpus} asked, and this machine has no CUDA device; set it to 0")
    return torch.device("cuda", 0)


def repeat_exactly(device: torch.device) -> None:
    """Where a GPU has kernels that give other numbers each time, take those that do not; a processor has none."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
