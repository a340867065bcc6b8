"""One verifier in a process of its own: a line of JSON in for each sample, a line with its score out.

Where a sample takes longer than it may, or ends the process, that sample fails and a new process is started.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from typing import Any

from assay_schemas.algorithms import VerifierReward

from assay_trainer.rewards.base import Failure, Score

STARTUP_S = 60.0
SANDBOX_S = 15.0
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
READY = "ready"


class VerifierProcess:
    """Scores one sample at a time. Starts its process at the first, and again after one that broke it."""

    def __init__(self, options: VerifierReward) -> None:
        self._options = options
        self._limit_s = options.timeout_s + (SANDBOX_S if options.name == "code_tests" else 0.0)
        self._process: subprocess.Popen[str] | None = None

    def score(self, completion: str, truth: Any) -> Score:
        process = self._started()
        if process is None:
            return Failure(f"{self._options.name} did not start within {STARTUP_S:g} s")
        with contextlib.suppress(BrokenPipeError):
            _stdin(process).write(json.dumps([completion, truth]) + "\n")
            _stdin(process).flush()
        answer = self._line(process, self._limit_s)
        if answer is None:
            self.close()
            return Failure(f"{self._options.name} gave no score within {self._limit_s:g} s")
        if not answer:
            self.close()
            return Failure(f"{self._options.name} ended its process")
        found = json.loads(answer)
        return Failure(found) if isinstance(found, str) else float(found)

    def _started(self) -> subprocess.Popen[str] | None:
        if self._process is None:
            command = [sys.executable, "-m", "assay_trainer.rewards.process", self._options.model_dump_json()]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
                start_new_session=True,
                text=True,
            )
            if (self._line(self._process, STARTUP_S) or "").strip() != READY:
                self.close()
        return self._process

    def _line(self, process: subprocess.Popen[str], seconds: float) -> str | None:
        """The next line; empty where the process ended, None where none came in time."""
        output = process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)  # type: ignore[arg-type]
            return output.readline() if output and selector.select(seconds) else None

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _stdin(process: subprocess.Popen[str]) -> Any:
    return process.stdin


def serve(options: VerifierReward) -> None:
    """Answer on standard output until standard input ends; an exception is answered as text."""
    from assay_trainer.rewards import VERIFIERS

    verifier = VERIFIERS[options.name]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(READY, file=answers, flush=True)
    for line in sys.stdin:
        completion, truth = json.loads(line)
        try:
            answer: float | str = verifier.score(completion, truth, options)
        except Exception as error:  # whatever a rule raises costs its sample alone
            answer = f"{type(error).__name__}: {error}"[:500]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(VerifierReward.model_validate_json(sys.argv[1]))
