"""`python -m examples.stories`: executes the notebooks on a system, started for them where none runs.

The executed copies, with their tables and plots, go to a folder; the notebooks themselves stay as they are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from assay_local.commands import Condition, status
from assay_local.state import StateFolder
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LONGEST_S = 1500
EXAMPLE = "example: python -m examples.stories --only shortcut"


def execute(notebook: Path, out: Path) -> float:
    """Seconds it took; an error in a cell is raised, and what was executed before it is kept."""
    began = time.monotonic()
    found = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        found, timeout=LONGEST_S, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    try:
        client.execute()
    finally:
        nbformat.write(found, out / notebook.name)  # type: ignore[no-untyped-call]
    return time.monotonic() - began


def assay(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "assay", *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=EXAMPLE)
    parser.add_argument("--out", type=Path, default=ROOT / ".assay" / "notebooks", help="folder for executed copies")
    parser.add_argument("--only", default="", help="one notebook by its name")
    given = parser.parse_args()
    state = StateFolder(Path(os.environ.setdefault("ASSAY_HOME", str(ROOT / ".assay" / "stories"))))
    given.out.mkdir(parents=True, exist_ok=True)
    was_up = status(state)[0] is Condition.RUNNING
    if not was_up:
        assay("up", "--detach")
    try:
        for notebook in sorted(HERE.glob(f"{given.only or '*'}.ipynb")):
            print(f"{notebook.stem}: {execute(notebook, given.out):.0f} s", flush=True)
    finally:
        if not was_up:
            assay("down")


if __name__ == "__main__":
    main()
