"""One of Assay's services as a part of the embedded system.
Never imports a service: it runs `python -m <module>` and asks its HTTP port.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from assay_local.component import Command
from assay_local.ports import HOST, free_port
from assay_local.processes import MARK

SERVICES = {
    "scheduler": "assay_scheduler",
    "trainer": "assay_trainer",
    "evaluator": "assay_evaluator",
    "reporter": "assay_reporter",
}
OF_SERVICES = {"PYTHONUNBUFFERED": "1"}
"""What every service has in its environment beside its settings."""
_STOP_TIMEOUT_S = 20.0
_READY_TIMEOUT_S = 3.0


class Service:
    """A service process; `environment` is asked before each start, because addresses may have changed."""

    def __init__(
        self, name: str, module: str, port: int, log: Path, environment: Callable[[], Mapping[str, str]]
    ) -> None:
        self.name = name
        self.port = port
        self._module = module
        self._log = log
        self._environment = environment

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Moves to another port when the one it had was taken meanwhile, by another system say."""
        self.port = free_port(self.port)

    def command(self) -> Command:
        own = {"ASSAY_HTTP_HOST": HOST, "ASSAY_HTTP_PORT": str(self.port), **OF_SERVICES}
        return Command(
            arguments=[sys.executable, "-m", self._module],
            log=self._log,
            environment={**self._environment(), **own},
            stop_timeout_s=_STOP_TIMEOUT_S,
        )

    def ready(self) -> bool:
        """Whether `GET /readyz` answers 200, and this system's service is what answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_READY_TIMEOUT_S)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status == 200 and self._is_own(answer.read())
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _is_own(self, answer: bytes) -> bool:
        """Another system on this machine may hold the port; a service that does not say whose it is, is believed."""
        try:
            said = json.loads(answer)
        except ValueError:
            return True
        owner = said.get("system") if isinstance(said, dict) else None
        return owner in (None, self._environment().get(MARK))
