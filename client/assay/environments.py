"""Declares Python environments that have another version of the engine or the harness, after asking them.

Never installs or changes an environment.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from assay_schemas.versions import (
    SHIPPED,
    VARIABLE,
    Described,
    Environment,
    VersionKind,
    Versions,
    VersionsUnreadable,
    declared_versions,
)
from pydantic import ValidationError

from assay.errors import AssayError
from assay.settings import state_folder

MODULES = ("assay_trainer.version", "assay_evaluator.version")
ASK_S = 120.0
NOT_THERE = 44
LACKS = 45
ASKING = f"""
import importlib.metadata, importlib.util, runpy, sys
importlib.util.find_spec(sys.argv[1]) or sys.exit({NOT_THERE})
try:
    runpy.run_module(sys.argv[2], run_name="__main__")
except importlib.metadata.PackageNotFoundError as missing:
    print(missing.name)
    sys.exit({LACKS})
"""


@dataclass(frozen=True)
class Lacking:
    """A package of ours that is there without a library that it computes with."""

    package: str
    library: str

    def __str__(self) -> str:
        return f"{self.package} is there without {self.library}; install that too, or nothing can be asked of it"


@dataclass(frozen=True)
class Added:
    """The versions that were declared, and what of the environment could not be."""

    versions: list[Described]
    lacking: list[Lacking]


def versions_file() -> Path:
    """What ASSAY_VERSIONS_FILE names, else the file of the system that `assay up` starts."""
    return Path(os.environ.get(VARIABLE) or state_folder() / "versions.json").absolute()


def add_environment(python: Path, image: str | None = None) -> Added:
    """Declare every version that the environment of this interpreter has whole; what was added.

    Raises AssayError where it has none, or only those that come with the services."""
    interpreter = python.expanduser().absolute()
    if not os.access(interpreter, os.X_OK):
        raise AssayError(f"{interpreter}: no interpreter is there; give the environment's bin/python.")
    told = [one for module in MODULES if (one := _ask(interpreter, module)) is not None]
    found = [one for one in told if isinstance(one, Described)]
    lacking = [one for one in told if isinstance(one, Lacking)]
    if lacking and not found:
        raise AssayError(f"{interpreter}: {'; '.join(map(str, lacking))}.")
    if not found:
        raise AssayError(f"{interpreter}: has neither assay-trainer nor assay-evaluator; install one of them there.")
    new = [one for one in found if one.version not in SHIPPED.of(one.kind)]
    if not new:
        names = ", ".join(f"{one.kind} {one.version}" for one in found)
        besides = "".join(f"; {one}" for one in lacking)
        raise AssayError(f"{interpreter}: has {names}, which comes with the services already{besides}.")
    declared = _declared()
    for one in new:
        environment = Environment(
            python=interpreter, image=image, libraries=one.libraries, comparable_with=one.comparable_with
        )
        declared = declared.with_one(one, environment)
    _write(declared)
    return Added(new, lacking)


def remove_environment(kind: str, version: str) -> None:
    """Take a declaration back. Raises AssayError where there is none."""
    declared = _declared()
    if kind not in ("engine", "harness"):
        raise AssayError(f"{kind}: is neither engine nor harness.")
    one: VersionKind = "engine" if kind == "engine" else "harness"
    if version not in declared.of(one):
        raise AssayError(f"{kind} {version}: is not declared in {versions_file()}.")
    _write(declared.without(one, version))


def _declared() -> Versions:
    try:
        return declared_versions(versions_file())
    except VersionsUnreadable as error:
        raise AssayError(f"{error}. Mend or remove it.") from error


def _ask(interpreter: Path, module: str) -> Described | Lacking | None:
    """What an environment says of itself; None where it lacks the package."""
    command = [str(interpreter), "-c", ASKING, module.partition(".")[0], module]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False, env=environment)
    if done.returncode == NOT_THERE:
        return None
    if done.returncode == LACKS:
        return Lacking(module.partition(".")[0].replace("_", "-"), done.stdout.strip())
    if done.returncode:
        raise AssayError(f"{interpreter} -m {module} failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    try:
        return Described.model_validate_json(done.stdout)
    except ValidationError as error:
        raise AssayError(f"{interpreter} -m {module} did not say what it has: {error}") from error


def _write(versions: Versions) -> None:
    path = versions_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(versions.model_dump(mode="json", exclude_defaults=True), indent=2) + "\n")
    temporary.replace(path)
