"""The example notebook runs from its first cell to its last against a running system, and shows a verdict."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_example_notebook_runs_to_its_verdicts(whole, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(whole.system.state.path))
    notebook = nbformat.read(ROOT / "examples/notebook.ipynb", as_version=4)
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=540, kernel_name="python3", resources=resources).execute()
    outputs = [str(output.get("data", {})) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("worse" in text or "underpowered" in text or "better" in text for text in outputs)
    assert any("control_response" in text for text in outputs)
