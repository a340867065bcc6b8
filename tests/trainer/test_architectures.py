"""The warm parent of trainings has what every one of them needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from assay_trainer.handlers import PRELOAD

MODEL = Path(__file__).parents[2] / "examples" / "pilot" / "model"
CHECK = """
import importlib, json, re, sys
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
compiled, compile_pattern = [], re._compiler.compile
re._compiler.compile = lambda *pattern: compiled.append(pattern) or compile_pattern(*pattern)
from pathlib import Path
import torch
from assay_trainer.model import load_model
load_model(Path(sys.argv[2]), torch.device("cpu"))
print(len(compiled))
"""


@pytest.mark.slow
def test_a_preloaded_process_loads_a_model_without_compiling_all_patterns_of_names() -> None:
    command = [sys.executable, "-c", CHECK, json.dumps(PRELOAD), str(MODEL)]
    compiled = int(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300).stdout)
    assert compiled < 100


@pytest.mark.slow
def test_libraries_are_loaded_without_the_code_of_a_service() -> None:
    """So that they may stay loaded while a service's code is exchanged."""
    check = (
        "import sys, assay_trainer.architectures; "
        "print({name for name in sys.modules if name.startswith('assay')} - {'assay_trainer'})"
    )
    found = subprocess.run([sys.executable, "-c", check], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    assert found.stdout.strip() == "{'assay_trainer.architectures'}"
