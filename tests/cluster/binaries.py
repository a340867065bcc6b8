"""Builds a Kubernetes control plane and Kueue from their Go modules, once, into a folder outside the repository.
Never copies their sources in here: modules by version alone.

`python tests/cluster/binaries.py` builds what is missing and says where it is, or why it cannot; tests that need a
control plane are then skipped with the same words.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.36.3"
KUEUE = "v0.19.2"
KUBERAY = "github.com/ray-project/kuberay/ray-operator@v1.6.2"
DEFINITIONS = {
    "kuberay-crds": KUBERAY,
    "keda-crds": "github.com/kedacore/keda/v2@v2.18.1",
}
"""Modules that only resource definitions are taken from."""
KUBERNETES_BINARIES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
SOURCES = Path(__file__).parent / "control_plane"
BUILD_S = 3600


@dataclass(frozen=True)
class Binaries:
    """The programs by name, and the folder of Kueue's own manifests."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    @property
    def kueue_manifests(self) -> Path:
        return self.folder / "kueue-config"

    def missing(self) -> list[str]:
        names = [*KUBERNETES_BINARIES, "etcd", "kueue", "kueue-config", "kubectl", "kuberay", *DEFINITIONS]
        return [name for name in names if not self[name].exists()]


def cache_folder() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "assay" / "control-plane" / f"kubernetes-{KUBERNETES}-kueue-{KUEUE}"


def built() -> Binaries:
    """Where they are, or will be."""
    return Binaries(cache_folder() / "bin")


def why_unavailable() -> str:
    """Why the tests on a cluster cannot run here; empty when they can."""
    if not built().missing():
        return ""
    if shutil.which("go") is None:
        return "Go is not installed; install Go 1.26 or later to build the control plane"
    return ""


def build() -> Binaries:
    """Build what is missing: 10 to 15 minutes on two idle cores the first time. One process at a time does so."""
    binaries = built()
    binaries.folder.mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        for name in binaries.missing():
            print(f"building {name}", flush=True)
            _build(name, binaries)
    return binaries


def _build(name: str, binaries: Binaries) -> None:
    if name == "etcd":
        _go_build(_module("etcd"), ".", binaries[name])
    elif name == "kueue":
        _go_build(_own_copy("kueue", f"sigs.k8s.io/kueue@{KUEUE}"), "./cmd/kueue", binaries[name])
    elif name == "kuberay":
        _go_build(_own_copy("kuberay", KUBERAY), ".", binaries[name])
    elif name == "kubectl" and (installed := shutil.which(name)):
        binaries[name].symlink_to(installed)
    elif name in DEFINITIONS:
        shutil.copytree(_downloaded(DEFINITIONS[name]) / "config" / "crd" / "bases", binaries[name])
        _make_writable(binaries[name])
    elif name == "kueue-config":
        module = _own_copy("kueue", f"sigs.k8s.io/kueue@{KUEUE}")
        shutil.copytree(module / "config", binaries[name], dirs_exist_ok=True)
    else:
        # Kueue and others parse the server's version, which is stamped in when linking.
        stamp = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}"
        _go_build(_module("kubernetes"), f"./cmd/{name}", binaries[name], stamp)


def _module(name: str) -> Path:
    """A copy of one of our own little modules, so that Go may write its go.sum beside it."""
    folder = cache_folder() / "modules" / name
    if not (folder / "go.sum").exists():
        shutil.copytree(SOURCES / name, folder, dirs_exist_ok=True)
        _go(["mod", "tidy"], folder)
    return folder


def _own_copy(name: str, module: str) -> Path:
    """A module that is built from its own folder, copied out of Go's read-only cache of modules."""
    folder = cache_folder() / "modules" / name
    if not folder.exists():
        shutil.copytree(_downloaded(module), folder.with_suffix(".new"), dirs_exist_ok=True)
        _make_writable(folder.with_suffix(".new"))
        folder.with_suffix(".new").rename(folder)
    return folder


def _downloaded(module: str) -> Path:
    """A module in Go's cache of modules."""
    return Path(json.loads(_go(["mod", "download", "-json", module], cache_folder()))["Dir"])


def _make_writable(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def _go_build(module: Path, package: str, output: Path, flags: str = "") -> None:
    building = output.with_suffix(".new")
    _go(["build", "-o", str(building), "-ldflags", f"-s -w {flags}", package], module)
    building.rename(output)


def _go(arguments: list[str], folder: Path) -> str:
    environment = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        ["go", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=BUILD_S
    )
    return done.stdout


if __name__ == "__main__":
    print(why_unavailable() or build().folder)
