"""Imports what every evaluation needs, once, in the parent that the evaluations are forked from.

Never runs a tensor operation and never starts a thread: both would not survive the fork.
"""

from __future__ import annotations

import os

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import datasets
import lm_eval.evaluator
import lm_eval.tasks
import pyarrow.parquet
import torch
import transformers.models.auto.tokenization_auto
import transformers.models.llama.modeling_llama
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

import assay_evaluator.engines.transformers
import assay_evaluator.own
import assay_evaluator.worker

get_checkpoint_conversion_mapping("llama")  # compiles 700 patterns at its first call, kept then: 0.3 s of every job

__all__ = ["assay_evaluator", "datasets", "lm_eval", "pyarrow", "torch", "transformers"]
