"""`python -m assay_trainer`: the trainer service, with its settings from the environment."""

from __future__ import annotations

from assay_chassis.process import run_alone

from assay_trainer.app import serve
from assay_trainer.settings import TrainerSettings

if __name__ == "__main__":
    run_alone(serve(TrainerSettings()))
