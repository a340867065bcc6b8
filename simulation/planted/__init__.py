"""Bugs planted on purpose, to prove that the simulation finds what it is for.

Each replaces a part of the product while it is planted; the product itself has no switch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from simulation.planted.bug import Bug
from simulation.planted.delivery import BUGS as DELIVERY
from simulation.planted.lifecycle import BUGS as LIFECYCLE
from simulation.planted.work import BUGS as WORK

BUGS: dict[str, Bug] = {bug.name: bug for bug in (*DELIVERY, *LIFECYCLE, *WORK)}


@contextmanager
def plant(name: str) -> Iterator[None]:
    """The product with this bug. Raises KeyError for one that is not known."""
    with ExitStack() as stack:
        for change in BUGS[name].changes:
            stack.enter_context(patch.object(*change))
        yield
