"""Imports once what Assay's processes import, so that Python keeps the bytecode; the installer of packages does not.

Compiling is half of a service's start, and of a job's, where PYTHONDONTWRITEBYTECODE is set. Never fails an install.
"""

from __future__ import annotations

import sys
from importlib import import_module

MODULES = (
    "assay.cli",
    "assay.experiment",
    "assay.live",
    "assay_local.__main__",
    "assay_local.system",
    "assay_local.warm_services",
    "assay_scheduler.app",
    "assay_trainer.app",
    "assay_evaluator.app",
    "assay_reporter.app",
    "assay_reporter.compile",
    "pyarrow.parquet",
    "assay_trainer.worker",
    "assay_trainer.architectures",
    "assay_evaluator.warm",
)


def main() -> None:
    """Import every module that is installed here."""
    sys.dont_write_bytecode = False
    for module in MODULES:
        try:
            import_module(module)
        except ImportError as error:  # an image holds one service only
            print(f"no bytecode is kept of {module}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
