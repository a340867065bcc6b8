"""Puts the cases where tests of every package can import them: `import contract_cases`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "contract_cases" not in sys.modules:
    spec = importlib.util.spec_from_file_location("contract_cases", Path(__file__).parent / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contract_cases"] = module
    spec.loader.exec_module(module)
