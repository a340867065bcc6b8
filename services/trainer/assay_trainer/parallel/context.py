"""Context parallelism: each process holds a part of the tokens, and in attention some of the heads over all tokens.

DeepSpeed-Ulysses (Jacobs et al. 2023): an all-to-all before and one after attention. Only for packed rows, whose
attention needs no mask. What is read with a cache, token by token, is not spread.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from assay_trainer.attention import packed_attention, packed_mask, takes_packed
from assay_trainer.errors import BadInput
from assay_trainer.parallel.exchange import gather_tokens, heads_for_tokens, tokens_for_heads

ATTENTION = "assay_packed_context"
GROUP = "assay_context_group"


def split_tokens(model: Any, group: dist.ProcessGroup, tensor: int = 1) -> None:
    """From now on the model's decoder takes whole packed rows, computes a part, and gives whole hidden states.

    `tensor` is the number of processes that the heads are split over already. Raises BadInput where the attention
    cannot be exchanged, or its heads do not divide evenly.
    """
    degree = group.size()
    split = degree * tensor
    if not takes_packed(model):
        raise BadInput(f"hardware.parallelism.context: {type(model).__name__} is trained padded; set it to 1")
    for name in ("num_attention_heads", "num_key_value_heads"):
        if getattr(model.config, name) % split:
            raise BadInput(f"hardware.parallelism: context times tensor, {split}, does not divide the model's {name}")
    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, packed_mask)
    model.set_attn_implementation(ATTENTION)
    decoder = model.get_decoder()
    for module in decoder.modules():
        setattr(module, GROUP, group)
    decoder.register_forward_pre_hook(_take_part, with_kwargs=True)
    decoder.register_forward_hook(_give_whole, with_kwargs=True)


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Shapes as transformers has them: query (1, H, T/c, D), result (1, T/c, H, D)."""
    if options.get("document_lengths") is None:
        return packed_attention(module, query, key, value, attention_mask, **options)
    group: dist.ProcessGroup = getattr(module, GROUP)
    query, key, value = (tokens_for_heads(tensor, group) for tensor in (query, key, value))
    attended, _ = packed_attention(module, query, key, value, None, **options)
    return heads_for_tokens(attended.transpose(1, 2), group).transpose(1, 2).contiguous(), None


def _take_part(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Fill the row up to a multiple of the processes, as a document of its own, and keep this one's part."""
    group: dist.ProcessGroup = getattr(module, GROUP)
    setattr(module, f"{GROUP}_tokens", None)
    if options.get("past_key_values") is not None:
        return arguments, options
    if options.get("attention_mask") is not None or "document_lengths" not in options:
        raise BadInput("hyperparameters.packing: context parallelism needs packed rows; set it to true")
    tokens = options["position_ids"].shape[1]
    missing = -tokens % group.size()
    lengths = tuple(options["document_lengths"]) + ((missing,) if missing else ())
    changed = {**options, "document_lengths": lengths}
    for name in ("input_ids", "position_ids", "inputs_embeds"):
        if options.get(name) is not None:
            changed[name] = _part(options[name], missing, group)
    setattr(module, f"{GROUP}_tokens", tokens)
    return arguments, changed


def _part(tensor: Tensor, missing: int, group: dist.ProcessGroup) -> Tensor:
    """(1, T) or (1, T, D) to this process's share of it."""
    filling = (0, missing) if tensor.ndim == 2 else (0, 0, 0, missing)
    return torch.chunk(F.pad(tensor, filling), group.size(), 1)[group.rank()].contiguous()


def _give_whole(module: nn.Module, _: Any, __: Any, output: Any) -> Any:
    tokens: int | None = getattr(module, f"{GROUP}_tokens")
    if tokens is not None:
        output.last_hidden_state = gather_tokens(output.last_hidden_state, getattr(module, GROUP))[:, :tokens]
    return output
