"""What a fault may do to a process, wherever it is then: end it, or make it stand still.

Until `Processes` says how, nothing happens to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulation.faults import Kind
from simulation.loop import Process


def _spared(_process: Process, _why: str) -> None:
    pass


@dataclass
class Harm:
    kill: Callable[[Process, str], None] = _spared
    stop: Callable[[Process, Kind], None] = _spared
