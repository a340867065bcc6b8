"""What a failed evaluation is called: out of memory, bad input, a store that is away, and what to do.

Judges by exception types alone, never by their words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay_chassis.job_service.failures import JobFailed
from assay_chassis.object_store.errors import ObjectDamaged, ObjectNotFound, StoreUnavailable


def bad_input(message: str) -> JobFailed:
    """The request can never succeed as it is; the message names the field and the mend."""
    return JobFailed("bad_input", message)


def broken(message: str) -> JobFailed:
    """Too much of an evaluation failed for any number to be shown."""
    return JobFailed("broken", message)


@contextmanager
def classified() -> Iterator[None]:
    """Turns the errors that have a known class into JobFailed; others pass as they are."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise JobFailed(
            "out_of_memory", f"{error}; lower parameters.batch_size or raise hardware.memory_gib"
        ) from error
    except (ObjectNotFound, ObjectDamaged) as error:
        raise bad_input(str(error)) from error
    except StoreUnavailable as error:
        raise JobFailed("store_unavailable", str(error), retryable=True) from error
