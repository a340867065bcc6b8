"""What TRL's trainers are given in every comparison, so that both sides compute the same and neither does more.

Never what a comparison is about: sizes, rates and losses are given where they are compared.
"""

from __future__ import annotations

from typing import Any

NO_MORE: dict[str, Any] = {
    "gradient_checkpointing": False,
    "bf16": False,
    "use_cpu": True,
    "save_strategy": "no",
    "report_to": [],
    "logging_steps": 1,
    "disable_tqdm": True,
}
"""Nothing recomputed, saved or reported, in float32; `tests/trainer/trl_peer.py` starts from it too."""
SAME_WORK = {**NO_MORE, "lr_scheduler_type": "constant", "model_init_kwargs": {"dtype": "float32"}, "seed": 0}
