"""A whole system whose services can be told to die: started by the launcher of this folder, each with a register."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import system_conftest
from assay_local import supervisor, system
from assay_local.component import Command
from assay_local.system import EmbeddedSystem
from assay_local.warm_services import ForkedService, WarmServices

HERE = Path(__file__).parent
SOON = {"ASSAY_INTAKE_LEASE_S": "5", "ASSAY_LEASE_S": "30", "PYTHONPATH": str(HERE)}
SINKS = """
email:
  people: {{folder: {mail}, from: assay@example.org, to: [people@example.org]}}
webhook:
  away: {{url: "http://127.0.0.1:9/", secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=]}}
"""
"""One that takes every report, and one where nobody listens."""


class SilentSystem(EmbeddedSystem):
    """Its supervisors would tell of every death."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, tell=lambda _: None)


class DyingServices(WarmServices):
    """Forks the launcher, which becomes the service."""

    def spawn(self, module: str, command: Command) -> ForkedService:
        told = replace(command, environment={**command.environment, "DIES_AS": module})
        return super().spawn("dying_service", told)


@contextmanager
def dying(start: Callable[..., AbstractContextManager[Any]], folder: Path) -> Iterator[Any]:
    """`start` makes a system; `folder` is where its services keep their registers, and people their mail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_conftest, "EmbeddedSystem", SilentSystem)
        patch.setattr(system, "WarmServices", DyingServices)
        # A service that dies again and again is started again at once.
        patch.setattr(supervisor, "_STEADY_S", 0.0)
        patch.setattr(supervisor, "FIRST_TRIES", 100)
        sinks = folder / "sinks.yaml"
        sinks.write_text(SINKS.format(mail=folder / "mail"), encoding="utf-8")
        with start(**SOON, DIES_IN=str(folder), ASSAY_SINKS_FILE=str(sinks)) as whole:
            yield whole
