"""Three nodes of Apache Kafka on this machine, each partition on all of them, two needed for every write.

A node is killed and started again by its number; questions are asked of whichever nodes run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay_local.broker_admin import create_topics
from assay_local.broker_topics import embedded_topics
from assay_local.component import Command, Running
from assay_local.kafka import KafkaServer
from assay_local.kafka_format import new_id
from assay_local.ports import HOST, free_port
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

NUMBERS = (1, 2, 3)
WITHIN_S = 120.0
SETTINGS = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A node that was killed is caught up with within a moment, not within the default half a minute.
    "replica.lag.time.max.ms": "5000",
}


class Node(KafkaServer):
    """One of three; `ports` are (broker, controller) of every node by its number."""

    def __init__(self, folder: Path, number: int, ports: dict[int, tuple[int, int]], cluster: str) -> None:
        super().__init__(folder)
        self.name = f"kafka-{number}"
        self._number, self._ports, self._cluster = number, ports, cluster

    def command(self) -> Command:
        made = super().command()
        arguments = ["-Xmx320m" if one == "-Xmx512m" else one for one in made.arguments]
        return Command(arguments=arguments, log=made.log, folder=made.folder)

    def _choose_ports(self) -> tuple[int, int]:
        return self._ports[self._number]

    def _write_settings(self) -> None:
        super()._write_settings()
        voters = ",".join(f"{number}@{HOST}:{controller}" for number, (_, controller) in self._ports.items())
        changed = {**SETTINGS, "node.id": str(self._number), "controller.quorum.voters": voters}
        lines = [line for line in self._settings_file.read_text().splitlines() if line.partition("=")[0] not in changed]
        lines += [f"{name}={value}" for name, value in changed.items()]
        self._settings_file.write_text("\n".join(lines) + "\n")


class Nodes:
    """The cluster. Blocking; every wait has a limit."""

    def __init__(self, folder: Path) -> None:
        ports = {number: (free_port(), free_port()) for number in NUMBERS}
        cluster = new_id()
        self.nodes = {number: Node(folder / f"kafka-{number}", number, ports, cluster) for number in NUMBERS}
        self.addresses = ",".join(f"{HOST}:{broker}" for broker, _ in ports.values())
        self._running: dict[int, Running] = {}

    @contextmanager
    def running(self) -> Iterator[Nodes]:
        for node in self.nodes.values():
            node.prepare()
        try:
            with ThreadPoolExecutor(len(NUMBERS)) as threads:  # a node alone is never ready
                self._running = dict(zip(NUMBERS, threads.map(self._start, NUMBERS), strict=True))
            create_topics(self.addresses, embedded_topics())
            self.until_in_sync()
            yield self
        finally:
            for running in self._running.values():
                running.stop()

    def _start(self, number: int) -> Running:
        return Running(self.nodes[number], WITHIN_S)

    def kill(self, number: int) -> None:
        """`kill -9`; returns when the others have taken over what it led."""
        self._running[number].kill()
        self._until(lambda: self._led_by(number) == 0, f"node {number} leads nothing any more")

    def kill_at_once(self, number: int) -> None:
        """`kill -9`, whether or not anybody can take over."""
        self._running[number].kill()

    def start(self, number: int) -> None:
        self._running[number].start()

    def leader(self, topic: str, partition: int) -> int:
        """The number of the node that leads a partition."""
        found: int = self._topics()[topic].partitions[partition].leader
        return found

    def until_in_sync(self) -> None:
        """Every partition is on all three nodes again."""
        self._until(lambda: self._missing() == 0, "all replicas are in sync")

    def _missing(self) -> int:
        parts = [part for topic in self._topics().values() for part in topic.partitions.values()]
        return sum(len(part.isrs) < len(NUMBERS) for part in parts)

    def _led_by(self, number: int) -> int:
        return sum(part.leader == number for one in self._topics().values() for part in one.partitions.values())

    def _topics(self) -> dict[str, Any]:
        admin = AdminClient({"bootstrap.servers": self.addresses, "log_level": 0})
        topics: dict[str, Any] = admin.list_topics(timeout=10.0).topics
        return topics

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                if holds():
                    return
            except KafkaException:
                pass
            assert time.monotonic() < deadline, f"not in {WITHIN_S:g} s: {what}"
            time.sleep(0.3)
