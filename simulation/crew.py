"""Processes that do tasks side by side, each replaced by a new one after some: what they left behind goes with them.

Never waits for one that has died: what it was doing is named instead.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from simulation.life import let_them_lie

Task = TypeVar("Task")
Done = TypeVar("Done")
FORK = multiprocessing.get_context("fork")


class WorkerDied(RuntimeError):
    """A process ended, or was ended, in the middle of a task."""


class _Worker(Generic[Task, Done]):
    """A process that does one task after another. `others` are the pipes to the rest of the crew: were they open here
    too, nobody could tell by them who has ended."""

    def __init__(self, work: Callable[[Task], Done], task: Task, others: Sequence[Connection]) -> None:
        self.pipe, theirs = FORK.Pipe()
        self._process = FORK.Process(target=_do_tasks, args=(work, theirs, [*others, self.pipe]), daemon=True)
        self._process.start()
        theirs.close()
        self.given = 0
        self.give(task)

    def give(self, task: Task) -> None:
        """Raises WorkerDied."""
        self.task, self.given = task, self.given + 1
        try:
            self.pipe.send(task)
        except BrokenPipeError:
            raise self._died() from None

    def done(self) -> Done:
        """What came of its task. Raises WorkerDied."""
        try:
            answer: Done = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        return answer

    def _died(self) -> WorkerDied:
        self._process.join()
        code = self._process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return WorkerDied(f"the process that ran {self.task} {how}")

    def end(self) -> None:
        """Nobody waits any more for what it does."""
        self.pipe.close()
        self._process.kill()
        self._process.join()


def side_by_side(
    work: Callable[[Task], Done], tasks: Iterable[Task], processes: int, most_each: int
) -> Iterator[tuple[Task, Done]]:
    """Tasks (none is None) and what came of them, as they are done; a process does no more than `most_each`.

    Raises WorkerDied, with the task in its words."""
    coming = iter(tasks)
    crew: list[_Worker[Task, Done]] = []
    try:
        while True:
            while len(crew) < processes and (task := next(coming, None)) is not None:
                crew.append(_Worker(work, task, [one.pipe for one in crew]))
            if not crew:
                return
            answered = wait([one.pipe for one in crew])
            for worker in [one for one in crew if one.pipe in answered]:
                finished, done = worker.task, worker.done()
                following = next(coming, None) if worker.given < most_each else None
                if following is not None:
                    worker.give(following)
                else:
                    crew.remove(worker)
                    worker.end()
                yield finished, done
    finally:
        for worker in crew:
            worker.end()


def _do_tasks(work: Callable[[Task], Done], pipe: Connection, others: Sequence[Connection]) -> None:
    for other in others:
        other.close()
    let_them_lie()
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        done = work(task)
        with suppress(BrokenPipeError):  # whoever gave the task is gone, which the next look for one shows
            pipe.send(done)
