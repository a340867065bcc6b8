"""The sinks that the operator declared in a file: names, addresses and secrets, checked when the service starts.

Experiments name sinks and never bring addresses. No message repeats what stands in the file but names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from assay_chassis.errors import Misconfigured
from assay_schemas.ids import Name
from assay_schemas.problems import nearest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from assay_reporter.settings import ReporterSettings
from assay_reporter.sinks.email_file import EmailFileSink
from assay_reporter.sinks.message import Sink
from assay_reporter.sinks.slack import SlackChannel, SlackHook
from assay_reporter.sinks.webhook import WebhookSink, key_of

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ADDRESS = r"^[^@\s<>,;]+@[^@\s<>,;]+$"


class Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DeclaredSlack(Declared):
    """A webhook's address, or a bot's token with the channel's id."""

    webhook_url: SecretStr | None = None
    token: SecretStr | None = None
    channel: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> DeclaredSlack:
        if (self.webhook_url is None) == (self.token is None) or bool(self.token) != bool(self.channel):
            raise ValueError("give webhook_url, or token and channel")
        return self

    def sink(self, settings: ReporterSettings) -> Sink:
        if self.webhook_url is not None:
            checked_address(self.webhook_url, hosts=settings.slack_hosts.split(","))
            return SlackHook(self.webhook_url)
        assert self.token is not None
        return SlackChannel(self.token, self.channel, settings.slack_api_url)


class DeclaredWebhook(Declared):
    """An address and its secrets, `whsec_…`; two of them while one replaces the other."""

    url: SecretStr
    secrets: list[SecretStr] = Field(min_length=1, max_length=4)

    def sink(self, settings: ReporterSettings) -> Sink:  # noqa: ARG002
        checked_address(self.url)
        for secret in self.secrets:
            key_of(secret)
        return WebhookSink(self.url, self.secrets)


class DeclaredEmail(Declared):
    """A folder for messages, and whose they are."""

    folder: Path
    sender: str = Field(alias="from", pattern=ADDRESS)
    to: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _addresses(self) -> DeclaredEmail:
        if any("@" not in one or any(c in one for c in " \r\n<>,;") for one in self.to):
            raise ValueError("to: each is a plain address such as team@example.org")
        return self

    def sink(self, settings: ReporterSettings) -> Sink:  # noqa: ARG002
        return EmailFileSink(self.folder, self.sender, self.to)


KINDS: dict[str, type[DeclaredSlack] | type[DeclaredWebhook] | type[DeclaredEmail]] = {
    "slack": DeclaredSlack,
    "webhook": DeclaredWebhook,
    "email": DeclaredEmail,
}
NAME: TypeAdapter[str] = TypeAdapter(Name)


class DeclaredSinks(Mapping[str, Sink]):
    """Sinks by the name that experiments use, such as `slack:data-quality`."""

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)

    def __getitem__(self, name: str) -> Sink:
        return self._sinks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sinks)

    def __len__(self) -> int:
        return len(self._sinks)

    def unknown(self, name: str) -> str:
        """Why nothing can be sent to a name that is not declared, and which names are."""
        known = nearest(name, self) if self else "No sink is declared here; the operator sets ASSAY_SINKS_FILE."
        return f"The sink {name} is not known here. {known}"


def read_sinks(settings: ReporterSettings) -> DeclaredSinks:
    """The declared sinks; none where no file is named. Raises Misconfigured with every problem."""
    declared = _document(settings.sinks_file, "ASSAY_SINKS_FILE")
    hooks = _document(settings.slack_webhooks_file, "ASSAY_SLACK_WEBHOOKS_FILE")
    found: dict[str, Sink] = {}
    problems = [f"{kind}: is not a kind of sink. {nearest(str(kind), KINDS)}" for kind in declared if kind not in KINDS]
    for kind, model in KINDS.items():
        entries = _entries(declared.get(kind), kind, problems)
        if kind == "slack":
            entries = {**{name: {"webhook_url": url} for name, url in hooks.items()}, **entries}
        for name, entry in entries.items():
            try:
                NAME.validate_python(name)
                found[f"{kind}:{name}"] = model.model_validate(entry).sink(settings)
            except ValidationError as error:
                problems += [f"{kind}.{name}{_place(one['loc'])}: {_said(one)}" for one in error.errors()]
            except ValueError as error:
                problems.append(f"{kind}.{name}: {error}")
    if problems:
        raise Misconfigured("sinks: " + "; ".join(problems))
    return DeclaredSinks(found)


def checked_address(url: SecretStr, hosts: list[str] | None = None) -> None:
    """Raises ValueError for an address that is not HTTPS to a named host; plain HTTP only to this machine."""
    parts = urlsplit(url.get_secret_value())
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise ValueError("its address must begin with https://")
    if hosts is not None and host not in hosts and host not in LOOPBACK:
        raise ValueError(f"its address is not on {' or '.join(hosts)}")
    if not host or parts.username or parts.password:
        raise ValueError("its address must name a host, and no user")


def _document(path: Path | None, setting: str) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{setting}: {path} cannot be read ({type(error).__name__})") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # Without its cause, whose message shows the line that is wrong, and with it perhaps a secret.
        raise Misconfigured(f"{setting}: {path} is not YAML") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{setting}: {path} must be a mapping of keys")
    return document


def _entries(value: Any, kind: str, problems: list[str]) -> dict[str, Any]:
    if value is None or isinstance(value, dict):
        return dict(value or {})
    problems.append(f"{kind}: must be a mapping from names to sinks")
    return {}


def _place(location: tuple[str | int, ...]) -> str:
    return "".join(f".{part}" for part in location)


def _said(entry: Any) -> str:
    return str(entry["msg"]).removeprefix("Value error, ")
