"""What the product's own code never does: unpickle, run code that came with a model, trust a certificate blindly."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "chassis", "services", "client", "deploy/local")
UNPICKLING = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"})
SUSPICIOUS = (*UNPICKLING, ".load(", "read_pickle", "trust_remote_code", "shell=", "verify=", "os.system")
"""Only files with one of these words are parsed."""
WAYS_TO_UNPICKLE = frozenset({"torch.load", "numpy.load", "np.load", "pandas.read_pickle", "pd.read_pickle"})


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if any(word in text for word in SUSPICIOUS):
                yield path.relative_to(ROOT), ast.parse(text)


@pytest.fixture(scope="module")
def parsed() -> list[tuple[Path, ast.AST]]:
    return list(trees())


def test_nothing_is_unpickled(parsed: list[tuple[Path, ast.AST]]) -> None:
    found = []
    for path, tree in parsed:
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if {name.partition(".")[0] for name in names} & UNPICKLING or called in WAYS_TO_UNPICKLE:
                found.append(f"{path}:{getattr(node, 'lineno', 0)}")
    assert found == []


def test_no_argument_opens_a_door(parsed: list[tuple[Path, ast.AST]]) -> None:
    """trust_remote_code=True, shell=True, verify=False, yaml.load."""
    found = []
    for path, tree in parsed:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            doors = given.get("trust_remote_code", "False") != "False" or given.get("shell") == "True"
            if doors or given.get("verify") == "False" or ast.unparse(node.func) in ("yaml.load", "os.system"):
                found.append(f"{path}:{node.lineno}")
    assert found == []
