"""A process that computes shards: opens the model it is told to, plans batches, answers requests.

Forked, with one thread on a processor; ends with its parent. Speaks JSON alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from dataclasses import astuple
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from assay_chassis.job_service.failures import JobFailed

from assay_evaluator.engines.base import EngineSettings, Generation
from assay_evaluator.engines.resident import ResidentEngine
from assay_evaluator.failures import classified

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
Message = dict[str, Any]


class ToldProgress:
    """Tells the parent of every batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def expect(self, rows: int) -> None:  # noqa: ARG002  the parent knows
        return

    def rows_done(self, rows: int) -> None:
        say(self._connection, {"rows": rows})

    def beat(self) -> None:
        return


def say(connection: Connection, message: Message) -> None:
    connection.send_bytes(json.dumps(message).encode())


def heard(connection: Connection) -> Message:
    """The next message. Raises EOFError or OSError where the other side is gone."""
    message: Message = json.loads(connection.recv_bytes())
    return message


def serve(connection: Connection, parents: Connection, device: str) -> NoReturn:
    """Answer the parent until it is gone. `parents` is its end of the pipe, which the fork has copied."""
    parents.close()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    import torch

    if device == "cpu":
        torch.set_num_threads(1)
    worker = _Worker(ToldProgress(connection), device)
    try:
        while True:
            say(connection, worker.answer(heard(connection)))
    except (EOFError, OSError):
        os._exit(0)


class _Worker:
    def __init__(self, progress: ToldProgress, device: str) -> None:
        self._resident = ResidentEngine(progress)
        self._device = device
        self._engine: Any = None

    def answer(self, asked: Message) -> Message:
        """What was asked for, or how it failed: a job's own end by its class, all else as an error."""
        try:
            with classified():
                answers = {"open": self._open, "plan": self._plan, "shard": self._shard}
                return answers[asked["do"]](asked)
        except JobFailed as error:
            return {"failed": [error.error_class, str(error), error.retryable]}
        except Exception as error:  # the parent raises it again, with its words
            return {"failed": ["internal", f"{type(error).__name__}: {error}", True]}

    def _open(self, asked: Message) -> Message:
        settings = EngineSettings(Path(asked["folder"]), asked["dtype"], self._device, asked["batch_size"])
        self._engine = self._resident.on(asked["engine"], settings)
        return {"max_length": self._engine.max_length, "max_gen_toks": self._engine.max_gen_toks}

    def _plan(self, asked: Message) -> Message:
        planned = self._engine.batches(asked["kind"], requests_of(asked))
        return {"batches": [[places, cost] for places, cost in planned]}

    def _shard(self, asked: Message) -> Message:
        import torch

        requests, began = requests_of(asked), time.monotonic()
        torch.manual_seed(asked["seed"])
        self._engine.first_batch = asked["number"]
        answers = getattr(self._engine, asked["kind"])(requests)
        ends = [self._ends(request) for request in requests] if asked["kind"] == "generate_until" else []
        return {"answers": answers, "ends": ends, "seconds": time.monotonic() - began}

    def _ends(self, request: Any) -> list[Any] | None:
        prompt, settings = request.args
        found: list[Generation] = self._engine.generations.take(prompt, settings, 1)
        return list(astuple(found[0])) if found else None


def requests_of(asked: Message) -> list[SimpleNamespace]:
    """Requests as the harness's engines take them: something with `args`."""
    return [SimpleNamespace(args=tuple(arguments), task_name="") for arguments in asked["requests"]]
