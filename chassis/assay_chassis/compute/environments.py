"""Which Python environment a run's version has: the service's own, or one that an operator put beside it.
Never installs anything, and never imports what is in an environment."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from assay_schemas.versions import Environment, VersionKind, VersionsUnreadable, available_versions

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.errors import BackendUnavailable, ResourcesUnavailable

OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
Declared = Callable[[], Mapping[str, Environment]]


@dataclass(frozen=True)
class Environments:
    """The environments of one service. `own` is the version that the service itself brings; runs without a version
    are for it. `declared` reads the others when it is called, so that a new one needs no restart."""

    kind: VersionKind = "engine"
    own: str = ""
    declared: Declared = dict

    def is_own(self, version: str) -> bool:
        return version in ("", self.own)

    def python(self, run: JobRun) -> Path | None:
        """The interpreter for a run; None for the service's own. Raises ResourcesUnavailable, BackendUnavailable."""
        if self.is_own(run.version):
            return None
        found = self._all().get(run.version)
        if found is None or found.python is None:
            raise ResourcesUnavailable(
                f"{self.kind}_version",
                f"{run.version} has no Python environment here; there are {', '.join(self.known())}",
                "ask for one of them, or put it beside with `assay images add`",
            )
        if not os.access(found.python, os.X_OK):
            raise ResourcesUnavailable(
                f"{self.kind}_version",
                f"{run.version} is declared to be in {found.python}, where no interpreter is",
                "install it there again, or correct the declaration with `assay images add`",
            )
        return found.python

    def image(self, run: JobRun) -> str | None:
        """The image for a run on a cluster; None for the service's own. Raises ResourcesUnavailable,
        BackendUnavailable."""
        if self.is_own(run.version):
            return None
        declared = self._all()
        found = declared.get(run.version)
        if found is None or found.image is None:
            there = [self.own, *(name for name, one in declared.items() if one.image)]
            raise ResourcesUnavailable(
                f"{self.kind}_version",
                f"{run.version} has no image; there are {', '.join(filter(None, there))}",
                "ask for one of them, or declare its image with `assay images add PYTHON --image IMAGE`",
            )
        return found.image

    def known(self) -> list[str]:
        """Every version that can run on this machine."""
        return sorted({*([self.own] if self.own else []), *(name for name, one in self._all().items() if one.python)})

    def _all(self) -> Mapping[str, Environment]:
        try:
            return self.declared()
        except VersionsUnreadable as error:
            raise BackendUnavailable("versions", str(error), "mend the file") from error


OWN_ONLY = Environments()


def environments_of(kind: VersionKind, own: str, versions_file: Path | None) -> Environments:
    """A service's environments: its own, and those that the operator's file declares."""
    return Environments(kind, own, lambda: available_versions(versions_file).of(kind))


def for_another_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables that would have another interpreter import this one's packages."""
    return {name: value for name, value in environment.items() if name not in OF_THIS_PYTHON}


def age_of(python: Path) -> str:
    """A digest of what is installed beside an interpreter: another one when a package came, went or changed."""
    found = sorted(python.parent.parent.glob("lib/python*/site-packages/*"))
    listed = [f"{path.name}@{path.stat().st_mtime_ns}" for path in found if path.suffix in (".dist-info", ".pth")]
    return hashlib.sha256("\0".join(listed).encode()).hexdigest()
