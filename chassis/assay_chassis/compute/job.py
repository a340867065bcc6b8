"""Runs one job's entrypoint in the process it was given, and turns how it ended into records.
Never outlives its keeper where the system can see to that."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Sequence
from typing import NoReturn

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.context import JobContext
from assay_chassis.compute.entrypoint import load_entrypoint
from assay_chassis.compute.folder import RunFolder

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
OUT_OF_MEMORY_CLASSES = frozenset({"MemoryError", "OutOfMemoryError"})
LIBC = ctypes.CDLL(None, use_errno=True)


def run_job(run: JobRun, folder: RunFolder, close: Sequence[int]) -> NoReturn:
    """Be the job, from just after the fork to the exit: 0, or 1 when its code raised.

    `close` are the keeper's own descriptors."""
    stop = threading.Event()
    _become_job(stop)
    _leave_inherited_alone()
    for descriptor in close:
        os.close(descriptor)
    _redirect_output(folder)
    folder.work.mkdir(exist_ok=True)
    os.chdir(folder.work)
    _limit_threads(run.resources.cpus)
    code = call_entrypoint(run, folder, stop)
    _leave(code)


def call_entrypoint(run: JobRun, folder: RunFolder, stop: threading.Event) -> int:
    """Load and call the entrypoint; 0, or 1 with the record "failure" when it raised."""
    context = JobContext(run, folder, stop)
    try:
        entrypoint = load_entrypoint(run.entrypoint)
        folder.write("job", {"pid": os.getpid(), "at": time.time()}, durable=False)
        entrypoint(context)
    except Exception as error:
        traceback.print_exc()
        folder.write("failure", describe(error))
        return 1
    finally:
        context.close()
    return 0


def describe(error: Exception) -> dict[str, object]:
    """The record of an exception: its class, its words, and whether it says that a retry can help.

    An exception with an `error_class` (as JobFailed) names its class itself; its words stand alone."""
    kind, words = type(error), str(error)[:2000]
    named = getattr(error, "error_class", None)
    retryable = getattr(error, "retryable", None)
    return {
        "class": named if isinstance(named, str) else f"{kind.__module__}.{kind.__qualname__}",
        "message": words if isinstance(named, str) else f"{kind.__name__}: {words}",
        "retryable": retryable if isinstance(retryable, bool) else None,
        "out_of_memory": kind.__name__ in OUT_OF_MEMORY_CLASSES,
    }


def _become_job(stop: threading.Event) -> None:
    """Own process group, end with the keeper, and the signals of a fresh process."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _leave_inherited_alone() -> None:
    """What was to be finalized at exit when this process was forked is for those who made it: its folders are still in
    use there, and torch would take its operators apart one by one, in a copy of their memory."""
    for inherited in tuple(weakref.finalize._registry):  # type: ignore[attr-defined]
        inherited.atexit = False


def _redirect_output(folder: RunFolder) -> None:
    """Standard output, error and the root logger to the run's log; standard input from nowhere."""
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(nothing)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form, force=True)


def _limit_threads(cpus: int) -> None:
    """As many threads as the run has cpus, in libraries that are loaded and that will be."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(cpus)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(cpus)
    threadpoolctl = sys.modules.get("threadpoolctl")
    if threadpoolctl is not None:
        threadpoolctl.threadpool_limits(cpus)


def _leave(code: int) -> NoReturn:
    """Exit as a forked child must: its own cleanup, and never the code of the parent's stack."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
