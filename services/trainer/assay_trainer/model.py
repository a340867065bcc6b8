"""The base model and its tokenizer from a folder of plain Hugging Face files, ready to be trained.

Reads safetensors only, and never runs code that came with a model.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from assay_trainer.attention import ATTENTION, register
from assay_trainer.errors import BadInput

log = logging.getLogger(__name__)
SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}


def load_tokenizer(folder: Path) -> Any:
    """Raises BadInput where the folder has no tokenizer that can be read."""
    try:
        return AutoTokenizer.from_pretrained(folder, **SAFE)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"base_model: its tokenizer cannot be read ({error}); add the tokenizer's files") from error


def load_model(folder: Path, device: torch.device) -> Any:
    """The causal language model with weights in float32, which stay the masters also for bfloat16.

    Raises BadInput where there are no safetensors, or transformers does not know the architecture.
    """
    if not any(folder.glob("*.safetensors")):
        raise BadInput("base_model: has no *.safetensors; save it as safetensors, other formats are not read")
    transformers_logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **SAFE)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BadInput(f"base_model: cannot be loaded ({error}); save it again with save_pretrained") from error
    _use_packed_attention(model)
    return model.to(device)


def _use_packed_attention(model: Any) -> None:
    if not getattr(model, "_supports_attention_backend", False):
        log.warning("%s does not take another attention: rows are padded, not packed", type(model).__name__)
        return
    register()
    model.set_attn_implementation(ATTENTION)


def choose_device(gpus: int) -> torch.device:
    """The processor, or the first CUDA device where the job was given one. Raises BadInput where there is none."""
    if gpus == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise BadInput(f"hardware.gpus: {gpus} asked, and this machine has no CUDA device; set it to 0")
    return torch.device("cuda", 0)
