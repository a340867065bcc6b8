"""A second Python environment for tests, beside this one: the same libraries, another version of engine and harness.

Never installs anything: it reads this environment's packages and has a few of its own before them.
"""

from __future__ import annotations

import importlib.util
import shutil
import site
import sys
import venv
from collections.abc import Iterator
from pathlib import Path


def make_environment(folder: Path, *, engine: str = "", harness: str = "") -> Path:
    """An environment whose engine says it is version `engine` and whose lm-eval says `harness`; its interpreter."""
    venv.EnvBuilder(symlinks=True).create(folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    here = [path for path in _site_packages() if Path(path).is_dir()]
    lines = [f"import site; site.addsitedir({str(path)!r})" for path in here]
    (packages / "beside.pth").write_text("\n".join(lines) + "\n")
    if engine:
        _own_engine(packages, engine)
    if harness:
        _metadata(packages, "lm_eval", harness)
    return folder / "bin" / "python"


def _own_engine(packages: Path, version: str) -> None:
    found = importlib.util.find_spec("assay_trainer")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("assay_trainer is not installed here")
    copied = packages / "assay_trainer"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(next(iter(found.submodule_search_locations))), copied, ignore=ignored)
    said = copied / "version.py"
    said.write_text(said.read_text().replace('ENGINE_VERSION = "1"', f'ENGINE_VERSION = "{version}"'))
    _metadata(packages, "assay_trainer", f"0.{version}.0")


def _metadata(packages: Path, name: str, version: str) -> None:
    folder = packages / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def _site_packages() -> Iterator[str]:
    yield from site.getsitepackages()
    yield from (path for path in sys.path if path.endswith("site-packages") and path not in site.getsitepackages())
