"""A generic webhook, signed as Standard Webhooks says: the payload of `report.published` to one address.

The signature is https://www.standardwebhooks.com, v1: HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid

import httpx
from assay_schemas.ids import NAMESPACE
from pydantic import SecretStr

from assay_reporter.sinks.http import post
from assay_reporter.sinks.message import Message


class WebhookSink:
    """Several secrets sign together while one replaces another: the receiver needs only one of them."""

    def __init__(self, url: SecretStr, secrets: list[SecretStr]) -> None:
        self._url = url
        self._secrets = secrets

    async def send(self, message: Message, http: httpx.AsyncClient) -> None:
        told = {
            "type": "report.published",
            "timestamp": message.report.generated_at.isoformat(),
            "data": message.published,
        }
        body = json.dumps(told, ensure_ascii=False).encode()
        identity = f"msg_{uuid.uuid5(NAMESPACE, message.id).hex}"
        await post(http, self._url.get_secret_value(), body, self.headers(identity, int(time.time()), body))

    def headers(self, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
        signatures = [sign(secret, identity, timestamp, body) for secret in self._secrets]
        return {
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }


def key_of(secret: SecretStr) -> bytes:
    """The bytes of a secret `whsec_<base64>`. Raises ValueError where it is none."""
    text = secret.get_secret_value()
    if not text.startswith("whsec_"):
        raise ValueError("a secret begins with whsec_, followed by base64 of 24 to 64 random bytes")
    key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret holds base64 of 24 to 64 random bytes")
    return key


def sign(secret: SecretStr, identity: str, timestamp: int, body: bytes) -> str:
    signed = f"{identity}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()}"
