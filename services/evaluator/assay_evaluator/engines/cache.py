"""A key-value cache whose memory is reserved once: the attention sees what it would see anyway.

Never changes a number; it saves copying the whole cache at every generated token.
"""

from __future__ import annotations

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.configuration_utils import PretrainedConfig


class ReservedLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, [batch, heads, length, head width], in buffers of `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        self._key_buffer = _reserve(key_states, self._capacity)
        self._value_buffer = _reserve(value_states, self._capacity)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self._key_buffer[:, :, start:end] = key_states
        self._value_buffer[:, :, start:end] = value_states
        self.keys, self.values = self._key_buffer[:, :, :end], self._value_buffer[:, :, :end]
        return self.keys, self.values


def _reserve(states: torch.Tensor, capacity: int) -> torch.Tensor:
    batch, heads, _, width = states.shape
    return states.new_empty((batch, heads, capacity, width))


def reserved_cache(config: PretrainedConfig, capacity: int) -> DynamicCache | None:
    """A cache for `capacity` tokens, or None for models whose layers are not all of the plain growing kind."""
    cache = DynamicCache(config=config)
    if not cache.layers or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [ReservedLayer(capacity) for _ in cache.layers]
    return cache
