"""The topics, declared once as data: who writes and reads them, their key, partitions and retention.

The AsyncAPI file, the JSON Schemas and the topics themselves are made from this table, which alone names settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Service = Literal["scheduler", "trainer", "evaluator", "reporter", "client", "automation"]
TopicKind = Literal["fact", "command", "progress", "dead_letter"]
DAY_MS = 24 * 3600 * 1000


class Topic(BaseModel):
    """One topic; `partitions` is for production, the embedded broker divides them by four."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: TopicKind
    key: str
    producers: tuple[Service, ...]
    consumers: tuple[Service, ...]
    summary: str
    version: str = "1.0"
    partitions: int = 12

    @property
    def settings(self) -> dict[str, str]:
        """Kafka's topic configuration: facts are kept for ever, the latest of each key; the rest for a while."""
        if self.kind == "fact":
            return {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5"}
        days = 30 if self.kind == "dead_letter" else 14
        return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}

    @property
    def dataschema(self) -> str:
        return f"{self.name}/{self.version}"


def _topic(name: str, kind: TopicKind, key: str, producers: str, consumers: str, summary: str) -> Topic:
    return Topic.model_validate(
        {
            "name": name,
            "kind": kind,
            "key": key,
            "producers": tuple(producers.split()),
            "consumers": tuple(consumers.split()),
            "summary": summary,
        }
    )


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        _topic("experiment.requested", "command", "experiment id", "client automation scheduler reporter", "scheduler",
               "Asks for an experiment: the value is its specification."),
        _topic("experiment.accepted", "fact", "experiment id", "scheduler", "reporter client",
               "The experiment is valid and planned."),
        _topic("experiment.rejected", "fact", "experiment id", "scheduler", "reporter client automation",
               "The specification has problems, all listed; nothing was launched."),
        _topic("experiment.cancel.requested", "command", "experiment id", "client scheduler", "scheduler",
               "Asks to stop an experiment, also one whose request is still to come."),
        _topic("training.requested", "command", "job key", "scheduler", "trainer",
               "Asks for one attempt at a training job."),
        _topic("selection.requested", "command", "job key", "scheduler", "evaluator",
               "Asks to choose the checkpoint that stands for a replicate."),
        _topic("eval.requested", "command", "job key", "scheduler", "evaluator",
               "Asks for one attempt at evaluating a model on a benchmark."),
        _topic("job.cancel.requested", "command", "job key", "scheduler", "trainer evaluator",
               "Asks to stop the work on a job."),
        _topic("job.progressed", "progress", "job key", "trainer evaluator", "scheduler reporter client",
               "How far an attempt is; its absence means that the attempt is lost."),
        _topic("training.completed", "fact", "job key", "trainer", "scheduler reporter client",
               "An attempt at training ended."),
        _topic("checkpoint.selected", "fact", "job key", "evaluator scheduler", "scheduler reporter client",
               "A selection ended: this checkpoint stands for the replicate."),
        _topic("eval.completed", "fact", "job key", "evaluator", "scheduler reporter client",
               "An attempt at evaluating ended."),
        _topic("experiment.completed", "fact", "experiment id", "scheduler", "reporter client automation",
               "Every job of the experiment has ended."),
        _topic("report.published", "fact", "experiment id", "reporter", "client automation",
               "The verdicts, and where the report is."),
        _topic("experiment.budget", "fact", "experiment id", "reporter", "client automation",
               "A look at an experiment with a budget: which arms stop, and what goes on."),
        _topic("dataset.published", "fact", "snapshot digest", "client", "automation",
               "A dataset snapshot is in the object store."),
        _topic("gate.decided", "fact", "experiment id", "client automation", "automation",
               "A policy was applied to an experiment's verdicts."),
    )
}  # fmt: skip


def dead_letter_topic(name: str) -> str:
    return f"{name}.dlq"


def consumed_by(service: Service) -> tuple[str, ...]:
    """The topics a service subscribes to."""
    return tuple(topic.name for topic in TOPICS.values() if service in topic.consumers)


def every_topic() -> tuple[Topic, ...]:
    """All topics to create: the declared ones and a dead-letter topic for each that a service consumes."""
    letters = tuple(
        topic.model_copy(update={"name": dead_letter_topic(topic.name), "kind": "dead_letter"})
        for topic in TOPICS.values()
    )
    return tuple(TOPICS.values()) + letters
