"""Assay in Python: describe an experiment, submit it, read its verdict.

>>> from assay import Arm, Benchmark, Experiment
>>> run = Experiment(base_model="/models/pilot", arms=[Arm("a", "a.jsonl")],
...                  benchmarks=[Benchmark("numeric", "items.jsonl")]).submit()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.experiment import Arm, Benchmark, Experiment
    from assay.run import Run
    from assay.settings import ClientSettings

__version__ = "0.1.0"
__all__ = ["Arm", "Benchmark", "ClientSettings", "Experiment", "Run", "connect"]
_HOMES = {
    "Arm": "assay.experiment",
    "Benchmark": "assay.experiment",
    "Experiment": "assay.experiment",
    "Run": "assay.run",
    "ClientSettings": "assay.settings",
}


def __getattr__(name: str) -> Any:
    """Loads a public class when it is first asked for, so that `assay --help` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def connect(**settings: Any) -> ClientSettings:
    """Settings for another system than the default: `connect(kafka_bootstrap_servers=…, object_store=…)`."""
    from assay.settings import load_settings

    return load_settings(**settings)
