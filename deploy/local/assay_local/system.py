"""The whole system on one machine: broker, PostgreSQL, object store folder and the four services, supervised.
Never holds a service's logic; it starts processes, tells them where the others are, and stops them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

from assay_local import libraries, processes
from assay_local.broker_admin import begin_groups, create_topics
from assay_local.broker_choice import BrokerKind, choose_broker
from assay_local.broker_topics import embedded_topics, production_topics
from assay_local.component import Command, Component, Process, spawn
from assay_local.external import External, find_external
from assay_local.kafka import KafkaServer
from assay_local.leftovers import end_jobs, end_recorded
from assay_local.mock import MockKafka
from assay_local.ports import free_port
from assay_local.postgres import PostgresServer
from assay_local.service import OF_SERVICES, SERVICES, Service
from assay_local.state import ProcessRecord, StateFolder, SystemRecord, write_atomically
from assay_local.supervisor import Supervisor
from assay_local.warm_services import WarmServices

if TYPE_CHECKING:
    from assay_chassis.compute.warm_client import WarmClient

_MOCK_FETCH_WAIT_MS = "20"
_READABLE_ROOTS = "/"
"""One's own machine: experiments may name every file that its user can read."""
_WARM_UP_AFTER_S = {"trainer": "1", "evaluator": "3"}
"""Seconds after a service's start: the start of the others is nearly over, and the libraries of jobs are being loaded
since the broker's start. Trainings come first."""
_PREFERRED_PORTS = {"scheduler": 8710, "reporter": 8711, "trainer": 8712, "evaluator": 8713}


class EmbeddedSystem:
    """One system per state folder. `start` returns when every service is ready; `stop` leaves only data.

    `services` maps names to the modules that are run; `tell` gets lines for people. What the environment offers
    (`ASSAY_DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS`, ...) is used instead of being started.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        broker: Literal["auto", "apache", "mock"] = "auto",
        services: Mapping[str, str] = SERVICES,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.state = StateFolder(state_dir)
        self._wanted_broker = broker
        self._modules = dict(services)
        self._tell = tell
        self._began = monotonic()
        self._external = External()
        self._broker: KafkaServer | MockKafka | None = None
        self._postgres: PostgresServer | None = None
        self._bootstrap_servers = ""
        self._services: dict[str, Service] = {}
        self._supervisors: dict[str, Supervisor] = {}
        self._warm: WarmServices | None = None
        self._libraries: WarmClient | None = None
        self._ready = False
        self._write_lock = threading.Lock()

    def start(self) -> SystemRecord:
        """Start everything and wait until it is ready. Raises LocalError, with nothing left running."""
        self._began = monotonic()
        self.state.prepare()
        self.state.lock()
        try:
            self._external = find_external(os.environ)
            if end_recorded(self.state):
                self._tell("an earlier system here had died; what was left of it was stopped, its jobs go on")
            self._warm = self._start_warm_parent()
            self._start_infrastructure()
            self._start_services(self._warm)
        except BaseException:
            self.stop()
            raise
        self._ready = True
        self._write_record()
        return self.record()

    def stop(self) -> None:
        """Stop services, then jobs, then the broker and the database; data stays. Nothing happens a second time."""
        if not self.state.holds_lock:
            return
        self._ready = False
        self._stop(self._services)
        if self._warm is not None:
            self._warm.stop()
        if self._libraries is not None:
            self._libraries.end()
        end_jobs(self.state)
        self._stop(self._supervisors)
        self.state.forget()
        self.state.unlock()

    def record(self) -> SystemRecord:
        """The system as it is now."""
        own = processes.record_of(os.getpid(), log=str(self.state.logs / "system.log"))
        assert own is not None
        return SystemRecord(
            system=self.state.system_id(),
            ready=self._ready,
            supervisor=own,
            kafka=self._broker_kind,
            kafka_bootstrap_servers=self._bootstrap_servers,
            database_url_file=str(self.state.database_url_file),
            object_store=self._object_store,
            s3_endpoint_url=self._external.s3_endpoint_url,
            api_url=self._url("scheduler"),
            web_url=self._url("reporter"),
            processes=self._process_records(),
        )

    def _start_warm_parent(self) -> WarmServices:
        """First of all, because its imports take as long as the broker's start and run beside it."""
        mark = {processes.MARK: self.state.system_id()}
        warm = WarmServices(list(self._modules.values()), self.state.logs / "warm_parent.log", mark)
        warm.start()
        return warm

    def _start_infrastructure(self) -> None:
        own: list[Component] = []
        if not self._external.database_url:
            self._postgres = PostgresServer(self.state.path / "postgres", log=self.state.logs / "postgres.log")
            own.append(self._postgres)
        self._run(own)
        if not self._external.kafka_bootstrap_servers:
            self._broker = choose_broker(self.state, self._wanted_broker, self._tell)
            self._run([self._broker])
        self._begin_libraries()
        self._await([supervisor.component for supervisor in self._supervisors.values()])
        self._bootstrap_servers = self._current_bootstrap_servers()
        self._make_topics()
        write_atomically(self.state.database_url_file, self._database_url, mode=0o600)

    def _begin_libraries(self) -> None:
        """Beside the broker and the database, whose start is waited for anyway."""
        if libraries.wanted(os.environ, self._modules):
            environment = {processes.MARK: self.state.system_id(), **OF_SERVICES}
            self._libraries = libraries.begin(self._sharing.with_name("libraries"), self._sharing, environment)

    def _make_topics(self) -> None:
        if self._external.kafka_bootstrap_servers:
            create_topics(self._bootstrap_servers, production_topics(), self._external.kafka_options)
        elif isinstance(self._broker, KafkaServer):
            asked = begin_groups(self._bootstrap_servers)
            create_topics(self._bootstrap_servers, embedded_topics())
            del asked

    def _start_services(self, warm: WarmServices) -> None:
        remembered = {**_PREFERRED_PORTS, **self.state.remembered_ports()}
        ports = {name: free_port(remembered.get(name)) for name in self._modules}
        self.state.remember_ports(ports)
        for name, module in self._modules.items():
            log = self.state.logs / f"{name}.log"
            self._services[name] = Service(name, module, ports[name], log, partial(self._environment, name))
        for name, service in self._services.items():
            self._supervise(service, partial(warm.spawn, self._modules[name]))
        self._await(list(self._services.values()))

    def _run(self, components: Sequence[Component]) -> None:
        for component in components:
            self._supervise(component, spawn)

    def _supervise(self, component: Component, start_process: Callable[[Command], Process]) -> None:
        supervisor = Supervisor(component, self._tell, self._changed, spawn=start_process)
        self._supervisors[component.name] = supervisor
        supervisor.start()

    def _await(self, components: Sequence[Component]) -> None:
        for component in components:
            self._supervisors[component.name].wait_until_ready()
            self._tell(f"{component.name} is ready after {monotonic() - self._began:.1f} s")

    def _changed(self) -> None:
        """Called by supervisors: write the new process ids; move the services when the broker has moved."""
        if self._ready and self._bootstrap_servers != (new := self._current_bootstrap_servers()) and new:
            self._bootstrap_servers = new
            self._tell(f"Kafka is at {new} now and its events are lost; the services are started again")
            for name in self._services:
                self._supervisors[name].restart()
        self._write_record()

    def _write_record(self) -> None:
        with self._write_lock:
            self.state.write_record(self.record())

    def _current_bootstrap_servers(self) -> str:
        if self._broker is None:
            return self._external.kafka_bootstrap_servers
        return self._broker.bootstrap_servers

    def _environment(self, name: str) -> dict[str, str]:
        """The settings of a service, on top of this process's environment."""
        folder = self.state.path / "services" / name
        settings = {
            processes.MARK: self.state.system_id(),
            "ASSAY_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap_servers,
            "ASSAY_DATABASE_URL": self._database_url,
            "ASSAY_OBJECT_STORE": self._object_store,
            "ASSAY_READABLE_ROOTS": os.environ.get("ASSAY_READABLE_ROOTS", _READABLE_ROOTS),
            "ASSAY_VERSIONS_FILE": os.environ.get("ASSAY_VERSIONS_FILE", str(self.state.path / "versions.json")),
            "ASSAY_STATE_DIR": str(folder),
            "ASSAY_COMPUTE_ROOT": str(folder / "compute"),
            "ASSAY_WARM_SHARING": str(self._sharing),
            "ASSAY_API_URL": self._url("scheduler"),
            "ASSAY_WEB_URL": self._url("reporter"),
        }
        if name in _WARM_UP_AFTER_S:
            settings[libraries.WARM_UP] = os.environ.get(libraries.WARM_UP, _WARM_UP_AFTER_S[name])
        if isinstance(self._broker, MockKafka):
            settings["ASSAY_KAFKA_FETCH_MAX_WAIT_MS"] = _MOCK_FETCH_WAIT_MS
        return settings

    @property
    def _sharing(self) -> Path:
        return self.state.path / "services" / "warm"

    @property
    def _broker_kind(self) -> BrokerKind:
        if self._external.kafka_bootstrap_servers:
            return "external"
        return "mock" if isinstance(self._broker, MockKafka) else "apache"

    @property
    def _database_url(self) -> str:
        return self._postgres.url if self._postgres is not None else self._external.database_url

    @property
    def _object_store(self) -> str:
        return self._external.object_store or self.state.store.as_uri()

    def _url(self, name: str) -> str:
        return self._services[name].url if name in self._services else ""

    def _process_records(self) -> dict[str, ProcessRecord]:
        records = {}
        for name, supervisor in list(self._supervisors.items()):
            if (pid := supervisor.pid) is not None:
                record = processes.record_of(pid, str(self.state.logs / f"{name}.log"), self._url(name))
                records.update({name: record} if record else {})
        return records

    def _stop(self, names: Mapping[str, object]) -> None:
        supervisors = [self._supervisors[name] for name in names if name in self._supervisors]
        if supervisors:
            with ThreadPoolExecutor(max_workers=len(supervisors)) as threads:
                list(threads.map(Supervisor.stop, supervisors))
