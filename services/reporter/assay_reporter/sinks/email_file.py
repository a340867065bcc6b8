"""An e-mail ready to be sent, as a file in a folder that the operator's mail system picks up.

Sends nothing itself. The file's name is the experiment's, so that a repeat replaces and never doubles.
"""

from __future__ import annotations

import asyncio
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import httpx
from assay_schemas.reports import ReportDocument

from assay_reporter.render.email import render_email
from assay_reporter.render.markdown import render_markdown
from assay_reporter.sinks.message import Message, TryLater

LONGEST_SUBJECT = 150


class EmailFileSink:
    """Writes `<folder>/<experiment id>.eml`: text and HTML of the same report."""

    def __init__(self, folder: Path, sender: str, recipients: list[str]) -> None:
        self._folder = folder
        self._sender = sender
        self._recipients = recipients

    async def send(self, message: Message, http: httpx.AsyncClient) -> None:  # noqa: ARG002
        data = email_of(message.report, message.url, self._sender, self._recipients).as_bytes()
        try:
            await asyncio.to_thread(_write, self._folder, f"{message.report.experiment_id}.eml", data)
        except OSError as error:
            raise TryLater(f"the folder cannot be written ({type(error).__name__})") from error


def email_of(report: ReportDocument, url: str, sender: str, recipients: list[str]) -> EmailMessage:
    """The message; its id is the experiment's, its date the report's."""
    mail = EmailMessage()
    mail["Subject"] = _line(f"{report.name}: {report.sentence}")
    mail["From"] = _address(sender)
    mail["To"] = [_address(one) for one in recipients]
    mail["Date"] = format_datetime(report.generated_at)
    mail["Message-ID"] = f"<{report.experiment_id}@{sender.rpartition('@')[2]}>"
    mail.set_content(render_markdown(report))
    mail.add_alternative(render_email(report, url), subtype="html")
    return mail


def _line(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= LONGEST_SUBJECT else f"{plain[: LONGEST_SUBJECT - 1]}…"


def _address(text: str) -> Address:
    return Address(addr_spec=text)


def _write(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.part"
    partial.write_bytes(data)
    partial.replace(folder / name)
