"""The reporter's settings: what every service has, and where its pages can be reached from outside."""

from __future__ import annotations

from assay_chassis.settings import ServiceSettings
from pydantic import Field


class ReporterSettings(ServiceSettings):
    """Settings of the reporter."""

    web_url: str = Field(default="", description="Address of the reporter's pages as people reach them, for links")
