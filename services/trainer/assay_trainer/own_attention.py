"""Whether a model's rows can be packed: tried on a few tokens, since no list of architectures is ever complete.

A layer that looks beyond its document, or an attention that does more than ours, would train another model in silence.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from assay_trainer.attention import ATTENTION, Unpackable, register
from assay_trainer.data.packing import pack
from assay_trainer.errors import BadInput
from assay_trainer.forward import hidden_states
from assay_trainer.memory import lacks_memory

LENGTHS = [5, 3, 7]
TOLERANCE = 1e-3
"""Of a token's hidden state, by its norm: kernels differ by less than 1e-5, another document in sight by far more."""
log = logging.getLogger(__name__)


def choose_attention(model: Any) -> None:
    """Attention over packed documents where it computes what the model's own does, else the model's own on padded rows.

    Draws no random number. Raises BadInput for a model whose hidden states cannot be had."""
    own = model.config._attn_implementation
    why = "it does not take another attention"
    if getattr(model, "_supports_attention_backend", False):
        register()
        try:
            why = _why_not(model)
        except Unpackable as error:
            own, why = "eager", str(error)  # the others leave out the same
    model.set_attn_implementation(own if why else ATTENTION)
    if why:
        log.warning("%s: rows are padded, not packed, since %s", type(model).__name__, why)


def _why_not(model: Any) -> str:
    """Why packed documents do not come out as each alone; empty where they do. Raises Unpackable and BadInput."""
    decoder = model.base_model if model.get_output_embeddings() is None else model.get_decoder()
    with tried(model):
        return _difference(model, decoder, few_documents(model))


@contextlib.contextmanager
def tried(model: Any) -> Iterator[None]:
    """Within: passes leave nothing behind and draw no random number."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def few_documents(model: Any) -> list[Tensor]:
    """Token ids (T) of some short documents, to try a model on."""
    tokens = torch.arange(1, sum(LENGTHS) + 1, device=model.device) % model.config.get_text_config().vocab_size
    return list(torch.split(tokens, LENGTHS))


def differ(one_ND: Tensor, other_ND: Tensor) -> bool:
    """Whether hidden states are more apart than two kernels for the same computation bring them."""
    return bool(((one_ND - other_ND).norm(dim=-1) / other_ND.norm(dim=-1)).max() > TOLERANCE)


def _difference(model: Any, decoder: Any, documents: list[Tensor]) -> str:
    try:
        alone = torch.cat([_hidden(decoder, document) for document in documents])
    except AttributeError as error:
        raise BadInput(f"base_model: {type(model).__name__} cannot be trained here ({error}); take another") from error
    model.set_attn_implementation(ATTENTION)
    try:
        together = hidden_states(decoder, pack(documents), None)
    except Exception as error:  # whatever a layer says of a row it cannot take
        if isinstance(error, Unpackable) or lacks_memory(error):
            raise
        return f"its layers do not take a packed row ({type(error).__name__}: {error})"
    return "its layers see more than one document of a packed row" if differ(together, alone) else ""


def _hidden(decoder: Any, tokens_T: Tensor) -> Tensor:
    hidden_1TD: Tensor = decoder(input_ids=tokens_T[None], use_cache=False).last_hidden_state
    return hidden_1TD[0]
