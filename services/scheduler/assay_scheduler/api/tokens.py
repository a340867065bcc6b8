"""Who asks over HTTP and what they may: owners by the hash of their token, each with scopes.

Never keeps or shows a token; every comparison takes the same time, whichever token matches.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from assay_chassis.errors import Misconfigured
from assay_schemas.ids import Sha256
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from assay_scheduler.api.refusals import Refusal

Scope = Literal["read", "submit", "admin"]
USUAL: tuple[Scope, ...] = ("read", "submit")


def _hashed(value: object) -> object:
    """A token in plain text stands for its hash and the usual scopes."""
    return {"sha256": hashlib.sha256(value.encode()).hexdigest()} if isinstance(value, str) else value


class Grant(BaseModel):
    """One owner's token, by its SHA-256, and what it may: `submit` is about one's own work, `admin` about all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Sha256
    scopes: list[Scope] = Field(default=list(USUAL), min_length=1)


_GRANTS: TypeAdapter[dict[str, Grant]] = TypeAdapter(dict[str, Annotated[Grant, BeforeValidator(_hashed)]])


@dataclass(frozen=True)
class Asker:
    """Who asks; without tokens nobody has a name, and everybody may do everything."""

    owner: str | None = None
    scopes: frozenset[Scope] = frozenset(("read", "submit", "admin"))

    def needs(self, scope: Scope) -> None:
        """Raises Refusal 403."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Refusal(403, "Not allowed", f"This needs a token with the scope {scope!r}; yours has not got it.")

    def must_own(self, *owners: str) -> None:
        """What belongs to others is changed by them, or by an `admin`. Raises Refusal 403."""
        if "admin" not in self.scopes and any(owner != self.owner for owner in owners):
            raise Refusal(403, "Not allowed", "This belongs to somebody else; ask them, or use a token with 'admin'.")


class Tokens:
    """The operator's tokens file. Raises Misconfigured with the first entry that is wrong."""

    def __init__(self, path: Path | None) -> None:
        self._grants: Mapping[str, Grant] = _read(path) if path else {}
        self._needed = path is not None

    def asker(self, authorization: str) -> Asker:
        """Raises Refusal 401 for a token that is not known."""
        if not self._needed:
            return Asker()
        scheme, _, token = authorization.partition(" ")
        given, found = hashlib.sha256(token.encode()).hexdigest(), None
        for owner, grant in self._grants.items():
            if hmac.compare_digest(grant.sha256, given):
                found = Asker(owner, frozenset(grant.scopes))
        if found is None or scheme.lower() != "bearer":
            raise Refusal(401, "Not authorised", "Send `Authorization: Bearer <token>` with a known token.")
        return found


def _read(path: Path) -> Mapping[str, Grant]:
    try:
        return _GRANTS.validate_json(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{path} (ASSAY_API_TOKENS_FILE) cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        # What was given is not repeated: it may be a token.
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise Misconfigured(f"{path} (ASSAY_API_TOKENS_FILE), {place}: {first['msg']}.") from None
