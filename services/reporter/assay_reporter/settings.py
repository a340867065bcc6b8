"""The reporter's settings: what every service has, where its pages can be reached, and where reports may be sent."""

from __future__ import annotations

from pathlib import Path

from assay_chassis.settings import ServiceSettings
from pydantic import Field


class ReporterSettings(ServiceSettings):
    """Settings of the reporter."""

    web_url: str = Field(default="", description="Address of the reporter's pages as people reach them, for links")
    sinks_file: Path | None = Field(
        default=None, description="YAML file with the sinks that experiments may name (docs/sinks.md); holds secrets"
    )
    slack_webhooks_file: Path | None = Field(
        default=None, description="YAML file of names and addresses of Slack webhooks, for those who have only these"
    )
    slack_hosts: str = Field(
        default="hooks.slack.com,hooks.slack-gov.com", description="Hosts that Slack webhooks may be on, by comma"
    )
    slack_api_url: str = Field(default="https://slack.com/api", description="Slack's API, for sinks with a token")
