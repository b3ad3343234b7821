"""Keys and values in buffers of their final size: growing by concatenation copies all of them for every token."""

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class _Buffered(DynamicLayer):
    """One layer's keys and values, [batch, key/value head, position, dim], filled from the left."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.length = capacity, 0
        self.buffers: tuple[torch.Tensor, ...] = ()

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.buffers = tuple(
            states.new_empty(*states.shape[:2], self.capacity, states.shape[-1]) for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        self.length = end
        return self._view()

    def _view(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = (buffer[:, :, : self.length] for buffer in self.buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.buffers = tuple(buffer[indices] for buffer in self.buffers)
        self._view()


def buffered_cache(layers: int, capacity: int) -> Cache:
    """A cache of `layers` layers for at most `capacity` positions.

    Every layer keeps everything: prompt and answer fit into the sliding window, so the layers differ in nothing.
    """
    return Cache(layers=[_Buffered(capacity) for _ in range(layers)])
