"""The mock broker as a part of the system, for machines without Java: librdkafka's cluster in its own process.
Never keeps events: they are lost, and the address changes, when its process ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from assay_local.broker_admin import TopicSettings, answers
from assay_local.component import Command

WARNING = (
    "Kafka is librdkafka's mock cluster: good for a try, but events live in memory only and are lost when it "
    "stops. Install Java 17 or newer and Maven, or set KAFKA_BOOTSTRAP_SERVERS, for a broker that keeps them."
)


class MockKafka:
    """librdkafka's mock cluster in a process of its own. Topics are fixed when it starts."""

    name = "kafka"

    def __init__(self, folder: Path, topics: Iterable[TopicSettings], log: Path | None = None) -> None:
        self.folder = folder
        self.log = log or folder / "kafka.log"
        self._topics = {topic.name: topic.partitions for topic in topics}

    @property
    def bootstrap_servers(self) -> str:
        """Valid once ready; empty before. Another one after each restart."""
        return self._address.read_text() if self._address.exists() else ""

    def prepare(self) -> None:
        """Write down the topics the process is to make."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._topics_file.write_text(json.dumps(self._topics))

    def command(self) -> Command:
        self._address.unlink(missing_ok=True)
        return Command(
            arguments=[
                sys.executable,
                "-m",
                "assay_local.mock_kafka",
                str(self._topics_file),
                str(self._address),
            ],
            log=self.log,
        )

    def ready(self) -> bool:
        return bool(self.bootstrap_servers) and answers(self.bootstrap_servers)

    @property
    def _topics_file(self) -> Path:
        return self.folder / "topics.json"

    @property
    def _address(self) -> Path:
        return self.folder / "address"
