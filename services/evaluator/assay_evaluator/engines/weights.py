"""Puts another model's weights into a model that is loaded: same architecture, same tokenizer, other numbers.

Never changes a shape or a dtype, and never reads anything but safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FREE_KEYS = frozenset({"_name_or_path", "transformers_version"})
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
GENERATION_FILE = "generation_config.json"


def same_but_for_weights(one: Path, other: Path) -> bool:
    """Whether two model folders differ in their weights alone."""
    if _config(one) != _config(other):
        return False
    return all(
        _content(one / name) == _content(other / name) for name in (*TOKENIZER_FILES, *PROCESSOR_FILES, GENERATION_FILE)
    )


def same_tensors(one: Path, other: Path) -> bool:
    """Whether two folders hold tensors of the same names, shapes and dtypes, by their files' headers."""
    held = _headers(one)
    return bool(held) and held == _headers(other)


def _headers(folder: Path) -> dict[str, tuple[str, list[int]]]:
    from safetensors import safe_open

    found: dict[str, tuple[str, list[int]]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  no mapping
                piece = tensors.get_slice(name)
                found[name] = (str(piece.get_dtype()), list(piece.get_shape()))
    return found


def swap_weights(model: torch.nn.Module, folder: Path) -> bool:
    """Copies a folder's weights into the model. False, with the model untouched, where the tensors are others."""
    import torch
    from safetensors import safe_open

    held = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
    files = sorted(folder.glob("*.safetensors"))
    if not files or not _covers(held, dict(model.named_parameters()), files):
        return False
    for file in files:
        with safe_open(file, framework="pt") as tensors, torch.no_grad():
            for name in tensors.keys():  # noqa: SIM118  no mapping
                held[name].copy_(tensors.get_tensor(name))
    return True


def _covers(held: dict[str, torch.Tensor], needed: dict[str, torch.Tensor], files: list[Path]) -> bool:
    """Whether the files hold every parameter, in its shape, and nothing else; tied ones under any of their names."""
    from safetensors import safe_open

    given: set[int] = set()
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if name not in held or list(held[name].shape) != tensors.get_slice(name).get_shape():
                    return False
                given.add(id(held[name]))
    return all(id(parameter) in given for parameter in needed.values())


def _config(folder: Path) -> Any:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return {key: value for key, value in config.items() if key not in FREE_KEYS}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
