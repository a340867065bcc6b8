"""`python -m assay_evaluator`: the evaluator service, with its settings from the environment.

Nothing else.
"""

from __future__ import annotations

from assay_chassis.process import run_alone

from assay_evaluator.app import serve
from assay_evaluator.settings import EvaluatorSettings

if __name__ == "__main__":
    run_alone(serve(EvaluatorSettings()))
