"""The engine over several worker processes: hands out shards, puts answers together, replaces lost workers.

Loads no model itself and never assigns a shard before a worker is free.
"""

from __future__ import annotations

import logging
import multiprocessing
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
from assay_chassis.job_service.failures import JobFailed
from lm_eval.api.model import LM

from assay_evaluator.contamination.membership import Scores
from assay_evaluator.engines.base import EngineSettings, Generation, GenerationLog, Progress, conversation
from assay_evaluator.fanout.shards import Batch, ShardLost, Shards
from assay_evaluator.fanout.worker import Message, heard, say, serve

LOOK_S = 0.5
MOST_LOST = 8
GONE = (EOFError, OSError)
log = logging.getLogger(__name__)


@dataclass
class Worker:
    """A process and our end of its pipe; `busy_s` is how long it computed."""

    number: int
    process: Any
    connection: Connection
    busy_s: float = 0.0


class FannedEngine(LM):  # type: ignore[misc]
    """What the engine `name` computes, spread over `workers` processes; on cuda, a GPU each.

    A shard is a batch that one process alone would compute, so every answer is what it would be there.
    Raises JobFailed where workers are lost again and again, and what a worker fails with.
    """

    def __init__(self, name: str, settings: EngineSettings, progress: Progress, workers: int) -> None:
        super().__init__()
        self._name = name
        self._settings = settings
        self._progress = progress
        self._lost = 0
        self.generations = GenerationLog()
        self.workers = [self._started(number) for number in range(workers)]
        try:
            opened = self._opened(self.workers)
        except BaseException:
            self.close()
            raise
        self.max_length, self.max_gen_toks = opened["max_length"], opened["max_gen_toks"]

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        answers, ends = self._compute("generate_until", requests)
        for request, end in zip(requests, ends, strict=True):
            if end is not None:
                prompt, settings = request.args
                tokens, reason, ids, logprobs = end
                self.generations.add(prompt, settings, Generation(tokens, reason, tuple(ids), tuple(logprobs)))
        return answers

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        return [(value, greedy) for value, greedy in self._compute("loglikelihood", requests)[0]]

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
        return self._compute("loglikelihood_rolling", requests)[0]

    def membership(self, requests: list[Any]) -> list[Scores]:
        return [(tokens, first, second) for tokens, first, second in self._compute("membership", requests)[0]]

    @property
    def has_chat_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return conversation(self._tokenizer, chat_history, add_generation_prompt)

    def tok_encode(self, string: str) -> list[int]:
        tokens: list[int] = self._tokenizer.encode(string)
        return tokens

    @cached_property
    def _tokenizer(self) -> Any:
        """What the harness asks of the model before any request; models whose weights are exchanged share theirs."""
        from transformers import AutoTokenizer

        folder = self._settings.folder
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)

    def swap(self, folder: Path) -> bool:
        """Every worker goes on with another folder's model."""
        self._settings = replace(self._settings, folder=folder)
        self._opened(self.workers)
        return True

    def close(self) -> None:
        """End the workers; the engine is of no more use."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self.workers = []

    def _compute(self, kind: str, requests: list[Any]) -> tuple[list[Any], list[Any]]:
        """Each request's answer, and how it ended where it was generated, in the requests' order."""
        answers: list[Any] = [None] * len(requests)
        ends: list[Any] = [None] * len(requests)
        try:
            self._progress.expect(len(requests))
            work = _Work(kind, [list(request.args) for request in requests], torch.initial_seed())
            planned = self._reply_to(self.workers[0], {"do": "plan", **work.asked(range(len(requests)))})["batches"]
            shards = Shards([Batch(number, places, cost) for number, (places, cost) in enumerate(planned)])
            for worker in self.workers:
                self._hand(worker, shards, work)
            while not shards.finished:
                self._progress.beat()
                for worker in self._speaking():
                    done = self._heard(worker, shards, work)
                    for place, answer, end in done:
                        answers[place], ends[place] = answer, end
        except BaseException:
            self.close()
            raise
        return answers, ends

    def _speaking(self) -> list[Worker]:
        ready = wait([worker.connection for worker in self.workers], LOOK_S)
        return [worker for worker in self.workers if worker.connection in ready]

    def _heard(self, worker: Worker, shards: Shards, work: _Work) -> list[tuple[int, Any, Any]]:
        """What a worker's message brings: places with their answers, where a shard is done."""
        try:
            said = heard(worker.connection)
        except GONE:
            self._replaced(worker, shards, work)
            return []
        if "rows" in said:
            self._progress.rows_done(said["rows"])
            return []
        _check(said)
        worker.busy_s += said["seconds"]
        batch = shards.done(worker.number)
        self._hand(worker, shards, work)
        ends = said["ends"] or [None] * len(batch.places)
        return list(zip(batch.places, said["answers"], ends, strict=True))

    def _hand(self, worker: Worker, shards: Shards, work: _Work) -> None:
        batch = shards.take(worker.number)
        if batch is None:
            return
        asked = {"do": "shard", "number": batch.number, "seed": work.seed, **work.asked(batch.places)}
        try:
            say(worker.connection, asked)
        except GONE:
            self._replaced(worker, shards, work)

    def _replaced(self, worker: Worker, shards: Shards, work: _Work) -> None:
        """Another process in a lost one's place, which goes on with what is to be done."""
        self._lost += 1
        log.warning("worker %d was lost; its shard is done again", worker.number)
        try:
            shards.lost(worker.number)
        except ShardLost as error:
            raise JobFailed("worker_lost", f"{error}; lower parameters.batch_size", retryable=True) from error
        if self._lost > MOST_LOST:
            raise JobFailed("worker_lost", f"{self._lost} workers were lost; look at the log", retryable=True)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        fresh = self._started(worker.number)
        fresh.busy_s = worker.busy_s
        self.workers[worker.number] = fresh
        self._opened([fresh])
        self._hand(fresh, shards, work)

    def _started(self, number: int) -> Worker:
        """A forked process: it has imported what this one has, and this one has computed nothing."""
        ours, theirs = multiprocessing.Pipe()
        device = f"cuda:{number}" if self._settings.device == "cuda" else self._settings.device
        process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs, ours, device), daemon=True)
        process.start()
        theirs.close()
        return Worker(number, process, ours)

    def _opened(self, workers: list[Worker]) -> Message:
        """All of them with the settings' model; opening goes on side by side. What the last one says of itself."""
        asked: Message = {"do": "open", "engine": self._name, "folder": str(self._settings.folder)}
        asked |= {"dtype": self._settings.dtype, "batch_size": self._settings.batch_size}
        for worker in workers:
            say(worker.connection, asked)
        return [self._reply(worker) for worker in workers][-1]

    def _reply_to(self, worker: Worker, asked: Message) -> Message:
        say(worker.connection, asked)
        return self._reply(worker)

    def _reply(self, worker: Worker) -> Message:
        """What a worker answers outside of shards. Raises JobFailed also where it is gone."""
        try:
            while not worker.connection.poll(LOOK_S):
                self._progress.beat()
            said = heard(worker.connection)
        except GONE as error:
            raise JobFailed("worker_lost", "a worker ended while it opened the model", retryable=True) from error
        _check(said)
        return said


@dataclass(frozen=True)
class _Work:
    """One call of the harness: what is asked of every request, their arguments, and the seed of its samples."""

    kind: str
    arguments: list[list[Any]]
    seed: int

    def asked(self, places: Any) -> Message:
        return {"kind": self.kind, "requests": [self.arguments[place] for place in places]}


def _check(said: Message) -> None:
    if "failed" in said:
        error_class, words, retryable = said["failed"]
        raise JobFailed(error_class, words, retryable=retryable)
