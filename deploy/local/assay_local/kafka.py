"""Real Apache Kafka on this machine: one KRaft node that keeps its data in a folder.
Never fetches anything itself (jars.py does) and never listens beyond the loopback interface.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from assay_local import jars, kafka_format
from assay_local.broker_admin import answers
from assay_local.component import Command, running
from assay_local.errors import LocalError, NotStarted
from assay_local.java import Java, usable_java
from assay_local.ports import HOST, free_port, is_open

_JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_FORMAT_TIMEOUT_S = 60
_ARCHIVE_TIMEOUT_S = 60.0
_SETTINGS = {
    "process.roles": "broker,controller",
    # An idle controller otherwise writes to its log twice a second, a third of what an idle broker computes.
    "metadata.max.idle.interval.ms": 5000,
    # After a kill the controller refuses the node until its old session has timed out (9 s by default).
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "node.id": 1,
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # One machine, little memory and disk: small buffers, small preallocated index files.
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16 * 2**20,
    "log.index.size.max.bytes": 2**20,
}


class KafkaServer:
    """One node of Apache Kafka. Its ports are kept with its data, so clients find it again after a restart."""

    name = "kafka"

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder
        self.log = log or folder / "kafka.log"
        self._jvm: list[str] = []
        self._port = 0
        self._cluster = kafka_format.new_id()

    @property
    def bootstrap_servers(self) -> str:
        """Valid after `prepare`."""
        return f"{HOST}:{self._port}"

    def prepare(self) -> None:
        """Fetch the jars on first use, choose ports, write the settings, and format the data folder once.

        Raises JavaUnavailable or JarsUnavailable.
        """
        self._jvm = self._prepare_jvm(usable_java())
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_settings()
        if not kafka_format.is_formatted(self._data):
            self._format()

    def command(self) -> Command:
        return Command(
            arguments=[*self._jvm, "kafka.Kafka", self._settings_file.name],
            log=self.log,
            folder=self.folder,
        )

    def ready(self) -> bool:
        return is_open(self._port) and answers(self.bootstrap_servers)

    @property
    def _settings_file(self) -> Path:
        return self.folder / "server.properties"

    def _prepare_jvm(self, java: Java) -> list[str]:
        classpath = ":".join(sorted(str(jar) for jar in jars.ensure_jars().glob("*.jar")))
        return [java.command, *_JVM_OPTIONS, *self._archive_options(java), "-cp", classpath]

    def _archive_options(self, java: Java) -> list[str]:
        archive = jars.cache_folder() / f"classes-{java.build}.jsa"
        if not archive.exists():
            _make_archive(archive)
        return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []

    def _write_settings(self) -> None:
        self._port, controller = self._choose_ports()
        settings = {
            **_SETTINGS,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"BROKER://{HOST}:{self._port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"BROKER://{HOST}:{self._port}",
            "log.dirs": self._data.name,
        }
        self._settings_file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def _choose_ports(self) -> tuple[int, int]:
        file = self.folder / "ports.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        broker = free_port(known.get("broker"))
        controller = free_port(known.get("controller"))
        file.write_text(json.dumps({"broker": broker, "controller": controller}))
        return broker, controller

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _format(self) -> None:
        cache = jars.cache_folder()
        if not kafka_format.format_alike(self._data, cache, self._cluster, self._node()):
            self._format_by_tool()
            kafka_format.keep(self._data, cache)

    def _node(self) -> str:
        lines = self._settings_file.read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("node.id="))

    def _format_by_tool(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", f"--cluster-id={self._cluster}", "-c"]
        done = subprocess.run(
            [*self._jvm, *tool, self._settings_file.name],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=_FORMAT_TIMEOUT_S,
        )
        if done.returncode:
            raise NotStarted(f"Kafka could not format {self._data}:\n{done.stdout}{done.stderr}")


class _ArchivingKafka(KafkaServer):
    """A broker for one short run, whose Java writes an archive of the classes it loaded when it stops."""

    def __init__(self, folder: Path, archive: Path) -> None:
        super().__init__(folder)
        self._archive = archive

    def command(self) -> Command:
        return replace(super().command(), stop_timeout_s=_ARCHIVE_TIMEOUT_S)

    def _archive_options(self, java: Java) -> list[str]:  # noqa: ARG002 (this run makes what others use)
        return [f"-XX:ArchiveClassesAtExit={self._archive}"]


def _make_archive(archive: Path) -> None:
    """Run a broker once so that later ones start in half the time; without an archive they start all the same."""
    with jars.cache_lock(), tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        if archive.exists():
            return
        made = Path(scratch) / archive.name
        with suppress(LocalError), running(_ArchivingKafka(Path(scratch), made)):
            pass
        if made.exists():
            made.replace(archive)
