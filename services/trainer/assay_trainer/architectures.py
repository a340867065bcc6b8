"""Imports the libraries of a training, and the model code that transformers would otherwise import in every job, once
in the warm parent.

Runs no tensor operation and imports nothing of Assay; an architecture that is not listed is only slower to start.
"""

import transformers.models.auto.modeling_auto
import transformers.models.auto.tokenization_auto
import transformers.models.llama.modeling_llama
import transformers.models.qwen2.modeling_qwen2
import transformers.models.qwen3.modeling_qwen3  # noqa: F401
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

get_checkpoint_conversion_mapping("llama")  # compiles 700 patterns at its first call, kept then: 0.2 s of every job
