"""Tells an allocation that failed from every other fault.

Never frees memory, and never decides what follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

PROCESSOR_ALLOCATOR = "DefaultCPUAllocator"
"""Where a processor has no memory left torch raises a plain RuntimeError: its allocator's name is all that tells it."""


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, a device or torch's allocator for processors had nothing left to give."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and PROCESSOR_ALLOCATOR in str(error)


@contextlib.contextmanager
def memory_lacking_as(told: Callable[[], Exception]) -> Iterator[None]:
    """What is done within says `told()` instead of its own error where memory ran out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if lacks_memory(error):
            raise told() from error
        raise
