"""A process that has imported what jobs import, and forks a keeper for every queued run.
The first on a machine forks the warm parents of other services too. Never runs a tensor operation or a job itself,
and knows nothing that is not in the folders of runs and of those that share.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.devices import choose, machine_gpus
from assay_chassis.compute.folder import RunFolder, hold_lock
from assay_chassis.compute.keeper import keep
from assay_chassis.compute.warm_folder import LEAVE, WarmFolder, WarmRecord
from assay_chassis.compute.warm_sharing import Asked, WarmSharing

LOCK_PATIENCE_S = 30.0
NAP_S = 5.0
CHOOSING = ".choosing"
LOGGER = logging.getLogger("assay.warm_parent")


@dataclass(frozen=True)
class Options:
    """How a warm parent was started. The first that shares what it imports has the lock of `sharing`."""

    root: Path
    preload: tuple[str, ...]
    fingerprint: str
    grace_s: float
    idle_s: float
    version: str = ""
    own: str = ""
    sharing: str = ""
    sharing_lock: int = -1
    python: str = sys.executable

    def serves(self, run: JobRun) -> bool:
        """Whether a run is for this environment; the service's own also has those that name no version."""
        return run.version == self.version if self.version else run.version in ("", self.own)


class WarmParent:
    """One for each compute root and version, which the lock sees to; the newest takes over.

    `version` is empty for the service's own environment, whose version is `own`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._folder = WarmFolder(options.root, options.version)
        self._gpus = machine_gpus()
        self._leaving = False
        self._sharing: WarmSharing | None = None
        self._held: list[int] = []
        """What a forked process has to let go of."""

    def serve(self) -> None:
        """Until asked to leave, or until no service has been heard of for `idle_s`."""
        lock = hold_lock(self._folder.lock, LOCK_PATIENCE_S)
        if lock is None:
            LOGGER.error("another warm parent serves %s and does not leave", self._options.root)
            return
        self._nudges = self._folder.open_nudges()
        self._held = [lock, self._nudges]
        self._share()
        self._preload()
        self._fork_when_nudged()

    def _share(self) -> None:
        """Where this is the first warm parent, listen for those that others want."""
        if self._options.sharing_lock >= 0:
            self._sharing = WarmSharing(Path(self._options.sharing))
            self._asks = self._sharing.open_nudges()
            self._held += [self._options.sharing_lock, self._asks]

    def _preload(self) -> None:
        self._record(state="loading")
        started, errors = time.monotonic(), {}
        gc.disable()  # what is imported stays: looking at it again and again takes a fifth of the time
        for module in self._options.preload:
            try:
                importlib.import_module(module)
            except Exception as error:
                LOGGER.exception("preload of %s failed; jobs that need it import it themselves", module)
                errors[module] = f"{type(error).__name__}: {error}"[:500]
        gc.freeze()  # without looking for garbage first: half a second at every start, for some ten thousand objects
        gc.enable()
        seconds, threads = time.monotonic() - started, threading.active_count()
        self._record(state="ready", errors=errors, loaded_in_s=round(seconds, 3), threads=threads)
        LOGGER.info("ready after %.1f s, %d modules preloaded", seconds, len(self._options.preload))

    def _record(self, state: str, **more: object) -> None:
        fixed = {"pid": os.getpid(), "fingerprint": self._options.fingerprint}
        self._folder.write(WarmRecord.model_validate({**fixed, "state": state, **more}))

    def _fork_when_nudged(self) -> None:
        silent_since = time.monotonic()
        while not self._leaving and time.monotonic() - silent_since < self._options.idle_s:
            if not self._options.root.exists():
                return
            self._fork_others()
            for folder in RunFolder.all_in(self._options.root):
                if not folder.has("keeper.json") and not folder.has("cancel"):
                    self._start(folder)
            if self._wait_for_nudge():
                silent_since = time.monotonic()
            _reap()

    def _wait_for_nudge(self) -> bool:
        asks = [self._asks] if self._sharing is not None else []
        ready, _, _ = select.select([self._nudges, *asks], [], [], NAP_S)
        for pipe in asks:
            if pipe in ready:
                os.read(pipe, 65536)
        if self._nudges not in ready:
            return False
        self._leaving = LEAVE in os.read(self._nudges, 65536)
        return True

    def _fork_others(self) -> None:
        """Fork the warm parents that other services have asked for."""
        if self._sharing is None:
            return
        for name, asked in self._sharing.asked().items():
            pid = os.fork()
            if pid == 0:
                self._be_another(asked)
            self._sharing.answer(name, pid)

    def _be_another(self, asked: Asked) -> NoReturn:
        with _forked(self._held):
            os.setsid()
            asked.enter()
            WarmParent(parse(asked.arguments)).serve()
        os._exit(0)

    def _start(self, folder: RunFolder) -> None:
        """Fork the run's keeper, unless its GPUs are taken: the next look tries again."""
        run = folder.run()
        if run is None or not self._options.serves(run):
            return
        with self._choosing(run.resources.gpus):
            gpus = choose(run.resources.gpus, self._gpus, self._taken(run.resources.gpus))
            if gpus is not None:
                self._fork_keeper(folder, gpus)

    @contextmanager
    def _choosing(self, asked: int) -> Iterator[None]:
        """While GPUs are chosen, no other version's parent chooses the same ones."""
        lock = hold_lock(self._options.root / CHOOSING, LOCK_PATIENCE_S) if asked else None
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def _taken(self, asked: int) -> set[str]:
        """GPUs of living runs; nobody needs to know for a run that asks for none."""
        living = (folder for folder in RunFolder.all_in(self._options.root) if asked and folder.keeper_alive())
        return {gpu for folder in living for gpu in (folder.read("keeper") or {}).get("gpus", ())}

    def _fork_keeper(self, folder: RunFolder, gpus: Sequence[str]) -> None:
        if os.fork() == 0:
            self._be_keeper(folder, gpus)
        # The keeper's record is what stops the next look from forking another; wait for it.
        give_up = time.monotonic() + 5.0
        while not folder.has("keeper.json") and folder.path.exists() and time.monotonic() < give_up:
            time.sleep(0.002)

    def _be_keeper(self, folder: RunFolder, gpus: Sequence[str]) -> NoReturn:
        with _forked(self._held):
            keep(folder, self._options.grace_s, gpus)
        os._exit(0)


@contextmanager
def _forked(held: Sequence[int]) -> Iterator[None]:
    """In a forked process: without its parent's descriptors, and never back into its parent's code."""
    try:
        for descriptor in held:
            os.close(descriptor)
        yield
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The command line, as `command` writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--fingerprint", required=True)
    parser.add_argument("--grace-s", type=float, required=True)
    parser.add_argument("--idle-s", type=float, required=True)
    parser.add_argument("--version", default="")
    parser.add_argument("--own", default="")
    parser.add_argument("--sharing", default="")
    parser.add_argument("--sharing-lock", type=int, default=-1)
    read = parser.parse_args(arguments)
    return Options(**{**vars(read), "preload": tuple(read.preload)})


def command(options: Options) -> list[str]:
    """How to start a warm parent with these options."""
    arguments = {key: value for key, value in asdict(options).items() if key not in ("preload", "python")}
    line = [options.python, "-m", "assay_chassis.compute.warm_parent"]
    line += [f"--{key.replace('_', '-')}={value}" for key, value in arguments.items()]
    return line + [f"--preload={module}" for module in options.preload]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    WarmParent(parse()).serve()
