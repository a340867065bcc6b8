"""Runs a service that may be told to die: `DIES_AS` names its module, `DIES_IN` the folder of its register.

What a dead process held is free sooner than in production, and what is done now and then is done more often, so that
a test need not wait for either.
"""

from __future__ import annotations

import os
import runpy
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import edges
from places import Register

SOONER: dict[str, dict[str, Any]] = {
    "assay_chassis.kafka": {"SESSION_TIMEOUT_MS": 2_000, "HEARTBEAT_MS": 400},
    "assay_chassis.kafka_letters": {"FIRST_LOOK_S": 1.0},
    "assay_chassis.relay": {"PRUNE_EVERY_S": 2.0},
    "assay_scheduler.settlement": {"LEASE": timedelta(seconds=3)},
    "assay_scheduler.reconciler": {"FORGET_EVERY_S": 2.0},
}
"""Constants by module."""


def main(module: str, folder: Path) -> None:
    for name, constants in SOONER.items():
        if name.startswith(("assay_chassis.", f"{module}.")):
            vars(import_module(name)).update(constants)
    edges.watch(Register(folder, module.removeprefix("assay_")))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(os.environ["DIES_AS"], Path(os.environ["DIES_IN"]))
