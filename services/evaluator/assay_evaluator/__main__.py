"""Starts the evaluator: `python -m assay_evaluator`.

Nothing else.
"""

from __future__ import annotations

import asyncio

from assay_evaluator.app import build_app
from assay_evaluator.settings import EvaluatorSettings

if __name__ == "__main__":
    asyncio.run(build_app(EvaluatorSettings()).run())
