"""Puts the cases where tests of every package can import them: `import contract_cases`."""

from __future__ import annotations

from pathlib import Path

from beside import load_beside

load_beside("contract_cases", Path(__file__).parent / "cases.py")
