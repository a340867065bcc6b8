"""Tells an allocation that failed from every other fault.

Never frees memory, and never decides what follows.
"""

from __future__ import annotations

import torch

PROCESSOR_ALLOCATOR = "DefaultCPUAllocator"
"""Where a processor has no memory left torch raises a plain RuntimeError: its allocator's name is all that tells it."""


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, a device or torch's allocator for processors had nothing left to give."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and PROCESSOR_ALLOCATOR in str(error)
