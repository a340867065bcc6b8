"""`python -m assay_evaluator`: the evaluator service, with its settings from the environment.

Nothing else.
"""

from __future__ import annotations

import asyncio

from assay_evaluator.app import serve
from assay_evaluator.settings import EvaluatorSettings

if __name__ == "__main__":
    asyncio.run(serve(EvaluatorSettings()))
