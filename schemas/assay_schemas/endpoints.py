"""Endpoints: models behind an API, declared by the operator and named `endpoint:NAME/MODEL` in specifications.

Only names travel: an address or a key never stands in a specification, an event or a manifest.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assay_schemas.artifacts import ModelRef
from assay_schemas.canonical import digest_of
from assay_schemas.problems import in_one_line

PREFIX = "endpoint:"
_LOCATION = re.compile(r"^endpoint:(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)/(?P<model>[A-Za-z0-9][A-Za-z0-9._:/@-]*)$")


class EndpointsUnreadable(ValueError):
    """The file of endpoints cannot be read; the message says what is wrong with it."""


class Endpoint(BaseModel):
    """One OpenAI-compatible server: `url` up to and with `/v1`, and how it may be asked.

    `key_variable` names the environment variable that holds its key. `likelihoods` says that its completions
    echo the prompt with log-probabilities, as vLLM's do: without it, only generated answers can be scored.
    `logprobs` and `images` are asked for only where they are declared, since others refuse the whole request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^\s?#]+$")
    interface: Literal["chat", "completions"] = "chat"
    key_variable: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    models: list[str] = Field(default_factory=list, description="those that may be asked; none: all")
    likelihoods: bool = False
    images: bool = Field(default=False, description="its chat takes images, as parts of a message")
    logprobs: bool = Field(default=False, description="says how likely each generated token was, when it is asked")
    length_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    context: int = Field(default=8192, ge=16, description="tokens that prompt and answer share")
    at_once: int = Field(default=8, ge=1, le=1024, description="most requests under way")
    timeout_s: float = Field(default=120.0, gt=0, description="for one answer")
    tries: int = Field(default=5, ge=1, le=20, description="for one answer, the first one included")
    patience_s: float = Field(default=60.0, ge=0, description="longest wait before a next try")


class EndpointModel(BaseModel):
    """A model at a named endpoint."""

    model_config = ConfigDict(frozen=True)

    name: str
    model: str

    @property
    def location(self) -> str:
        return f"{PREFIX}{self.name}/{self.model}"

    def reference(self) -> ModelRef:
        """How jobs name it. The digest is over both names: what lies behind them cannot be hashed."""
        digest = digest_of({"kind": "endpoint", "name": self.name, "model": self.model})
        return ModelRef(uri=self.location, digest=digest, name=self.model)


_DECLARED: TypeAdapter[dict[str, Endpoint]] = TypeAdapter(dict[str, Endpoint])


def is_endpoint(location: str) -> bool:
    return location.startswith(PREFIX)


def endpoint_model(location: str) -> EndpointModel:
    """The two names in `endpoint:NAME/MODEL`. Raises ValueError, which says how to write it."""
    found = _LOCATION.match(location)
    if found is None:
        raise ValueError(f"{location!r} is not endpoint:NAME/MODEL, the name of a declared endpoint and of its model")
    return EndpointModel(name=found["name"], model=found["model"])


def read_endpoints(path: Path | None) -> dict[str, Endpoint]:
    """The endpoints declared in a JSON file, by name; none without a file. Raises EndpointsUnreadable."""
    if path is None:
        return {}
    try:
        return _DECLARED.validate_json(path.read_bytes())
    except OSError as error:
        raise EndpointsUnreadable(f"ASSAY_ENDPOINTS_FILE: {error}") from error
    except ValidationError as error:
        raise EndpointsUnreadable(f"ASSAY_ENDPOINTS_FILE: {path}: {in_one_line(error)}") from error
