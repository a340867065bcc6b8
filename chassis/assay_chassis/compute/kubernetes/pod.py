"""What a run's pod executes: keeps the job as on any machine, and mirrors its records to the object store.
Never talks to the cluster: all it knows of it is SIGTERM. On several machines it works on the first."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay_chassis.compute.base import Cause, JobRun
from assay_chassis.compute.folder import STATUS_BYTES, STATUS_LINES, RunFolder
from assay_chassis.compute.kubernetes.manifest import INTERRUPTED_CODE
from assay_chassis.compute.kubernetes.ray_job import PID
from assay_chassis.compute.kubernetes.stored import CANCEL, LOG, RECORDS, RUN, prefix_of
from assay_chassis.object_store import ObjectNotFound, StoreSettings, SyncObjectStore
from assay_chassis.object_store.errors import ObjectStoreError

TICK_S = 0.1
MIRROR_S = 1.0
BEAT_S = 5.0
LAST_TRIES_S = 60.0
MIRRORED = ("keeper", "job", "progress", "outcome", "failure", "end")
log = logging.getLogger(__name__)


class PodRun:
    """One pod's life for a run. `pod` is the pod's uid."""

    def __init__(self, store: SyncObjectStore, prefix: str, scratch: Path, pod: str, grace_s: float) -> None:
        self._store = store
        self._prefix = prefix
        self._scratch = scratch
        self._pod = pod
        self._grace_s = grace_s
        self._asked = False
        self._written: dict[str, Any] = {}
        self._written_at = self._beat_at = 0.0
        self._printed = 0

    def ask_to_end(self) -> None:
        """What SIGTERM calls."""
        self._asked = True

    def run(self) -> int:
        """Do the run, from its start or from where an earlier pod left it; the exit code.

        Raises ObjectNotFound when there is no such run."""
        run = JobRun.from_json(self._store.get_bytes(f"{self._prefix}/{RUN}"))
        self._before = self._read_before()
        if self._before.get("end") or self._before.get("outcome") is not None:
            return 0
        self._folder = self._new_folder(run)
        self._continue_log()
        if self._cancelled():
            self._folder.ask_to_cancel()
        command = [sys.executable, "-m", "assay_chassis.compute.keep_run", str(self._folder.path), str(self._grace_s)]
        keeper = subprocess.Popen(command, start_new_session=True)
        try:
            self._watch(keeper)
            return self._leave()
        finally:
            self._here.unlink(missing_ok=True)
            shutil.rmtree(self._folder.path, ignore_errors=True)

    def _new_folder(self, run: JobRun) -> RunFolder:
        """A folder with nothing of an earlier pod in it: several machines share one that outlives them."""
        self._mirrors_log = run.machines > 1
        self._here = self._scratch / PID
        shutil.rmtree(self._scratch / run.name, ignore_errors=True)
        RunFolder.create(self._scratch, run)
        self._here.write_text(str(os.getpid()))
        return RunFolder(self._scratch / run.name)

    def _watch(self, keeper: subprocess.Popen[bytes]) -> None:
        passed_on = False
        while keeper.poll() is None:
            if self._asked and not passed_on:
                passed_on = True
                self._pass_on(keeper)
            self._print_log()
            self._mirror_now_and_then()
            time.sleep(TICK_S)

    def _pass_on(self, keeper: subprocess.Popen[bytes]) -> None:
        """A cancelled run is cancelled; any other end from outside only interrupts it."""
        if self._cancelled():
            self._folder.ask_to_cancel()
        else:
            keeper.send_signal(signal.SIGTERM)

    def _cancelled(self) -> bool:
        try:
            return self._store.exists(f"{self._prefix}/{CANCEL}")
        except ObjectStoreError as error:
            log.warning("whether the run was cancelled could not be read: %s", error)
            return False

    def _mirror_now_and_then(self) -> None:
        """The records where they changed, once a second at most, and a heartbeat every few seconds."""
        now = time.monotonic()
        if now - self._written_at < MIRROR_S:
            return
        content, beat = self._content(last=False), now - self._beat_at >= BEAT_S
        if content == self._written and not beat:
            return
        self._written_at = now
        try:
            self._write(content)
            if beat:
                self._beat_at = now
                if self._mirrors_log:
                    self._store_log()
                if self._cancelled():
                    self._folder.ask_to_cancel()
        except ObjectStoreError as error:
            log.warning("the records could not be mirrored yet: %s", error)

    def _content(self, *, last: bool) -> dict[str, Any]:
        """The end is only in the last records, which come after the log: who sees it finds the log whole."""
        read = {name: self._folder.read(name) for name in MIRRORED if last or name != "end"}
        return mirrored(read, self._before, self._pod, interrupted=self._asked)

    def _write(self, content: dict[str, Any]) -> None:
        body = json.dumps({**content, "heartbeat": time.time()}).encode()
        self._store.put_bytes(f"{self._prefix}/{RECORDS}", body)
        self._written = content

    def _leave(self) -> int:
        """Store the log and the last records, which say that the run ended unless it was interrupted."""
        self._print_log()
        content = self._content(last=True)
        if content["end"] is not None and content["outcome"] is None:
            if self._asked and self._cancelled():
                # Ray asks all processes of a job at once: it may be over before its keeper knew why.
                content["end"] = {**content["end"], "cause": Cause.CANCELLED, "reason": "cancelled"}
            content["log_tail"] = self._folder.log_tail(STATUS_LINES, STATUS_BYTES)
        self._store_last(content)
        if content["outcome"] is not None:
            return 0
        return 1 if content["end"] is not None else INTERRUPTED_CODE

    def _store_last(self, content: dict[str, Any]) -> None:
        """Raises what the object store raises when it has not taken the records for a minute."""
        give_up = time.monotonic() + LAST_TRIES_S
        while True:
            try:
                self._store_log()
                self._write(content)
                return
            except ObjectStoreError:
                if time.monotonic() >= give_up:
                    raise
                time.sleep(1.0)

    def _store_log(self) -> None:
        whole = self._folder.whole_log()
        self._store.put_bytes(f"{self._prefix}/{LOG}", whole.encode(), media_type="text/plain")

    def _read_before(self) -> dict[str, Any]:
        """What an earlier pod of the run left."""
        with suppress(ObjectNotFound):
            found: dict[str, Any] = json.loads(self._store.get_bytes(f"{self._prefix}/{RECORDS}"))
            return found
        return {}

    def _continue_log(self) -> None:
        if self._before:
            with suppress(ObjectNotFound):
                self._store.get_file(f"{self._prefix}/{LOG}", self._folder.log)
            with self._folder.log.open("a", encoding="utf-8") as file:
                file.write("[assay] interrupted; it goes on in another pod\n")

    def _print_log(self) -> None:
        """What the job printed, also to this container's output, where the cluster looks for it."""
        with suppress(FileNotFoundError), self._folder.log.open("rb") as file:
            file.seek(self._printed)
            new = file.read()
            self._printed += len(new)
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()


def mirrored(
    read: Mapping[str, dict[str, Any] | None], before: Mapping[str, Any], pod: str, *, interrupted: bool
) -> dict[str, Any]:
    """The records as the service sees them.

    An interruption from outside is no end of the run: another pod goes on with it. Progress keeps
    counting where the earlier pod's records (`before`) stopped."""
    content: dict[str, Any] = {name: read.get(name) for name in MIRRORED}
    end = content["end"]
    if interrupted and end is not None and end["cause"] == Cause.KILLED and content["outcome"] is None:
        content["end"] = content["failure"] = None
    earlier = before.get("progress")
    if content["progress"] is None:
        content["progress"] = earlier
    elif earlier is not None:
        sequence = content["progress"]["sequence"] + earlier["sequence"]
        content["progress"] = {**content["progress"], "sequence": sequence}
    interruptions = before.get("interruptions", 0) + (1 if before else 0)
    return {**content, "pod": pod, "interruptions": interruptions}


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    environment = os.environ
    prefix = prefix_of(environment["ASSAY_RUN_SERVICE"], environment["ASSAY_RUN"])
    grace_s = float(environment["ASSAY_RUN_GRACE_S"])
    with SyncObjectStore(StoreSettings()) as store:
        scratch = Path(environment["ASSAY_RUN_SCRATCH"])
        pod = PodRun(store, prefix, scratch, environment["ASSAY_RUN_POD"], grace_s)
        signal.signal(signal.SIGTERM, lambda _number, _frame: pod.ask_to_end())
        return pod.run()


if __name__ == "__main__":
    sys.exit(main())
