"""Models from the Hugging Face Hub, or its local cache: `hf:org/name@revision`.

Downloads configuration, tokenizer and safetensors only; never code, never pickled weights when there are others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from assay_scheduler.intake.locations import SourceFile
from assay_scheduler.intake.unusable import NotThereNow, Unusable

_NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+|[\w.-]+)(@(?P<revision>[\w./-]+))?")
BUSY = (408, 425, 429)
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


class HubModels:
    """`offline` reads the local cache alone. Raises Unusable, and NotThereNow while the Hub does not answer."""

    def __init__(self, *, offline: bool = False, cache: Path | None = None) -> None:
        self._offline = offline
        self._cache = cache

    async def files(self, location: str) -> Sequence[SourceFile]:
        match = _NAME.fullmatch(location)
        if match is None:
            raise Unusable(f"{location!r} is not a model of the Hub.", "Write hf:organisation/name@revision.")
        folder = await asyncio.to_thread(self._download, match["repository"], match["revision"])
        return [SourceFile(path, path.name, f"hf:{path}") for path in sorted(folder.iterdir()) if path.is_file()]

    def _download(self, repository: str, revision: str | None) -> Path:
        from httpx2 import TransportError
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        name = f"{repository}@{revision}" if revision else repository
        try:
            return Path(
                snapshot_download(
                    repository,
                    revision=revision,
                    allow_patterns=_WANTED,
                    local_files_only=self._offline,
                    cache_dir=self._cache,
                )
            )
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, TransportError) as error:
            raise _explained(name, _cause(error)) from error


def _cause(error: Exception) -> Exception:
    """What kept the Hub from answering, where the library says only that its cache has not got the model either."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    inner = error.__cause__
    return inner if isinstance(error, LocalEntryNotFoundError) and isinstance(inner, Exception) else error


def _explained(name: str, error: Exception) -> Unusable:
    from huggingface_hub import errors

    if _passes(error):
        mend = "Look at the scheduler's connection to the Hub, or download the model on its machine; ask again."
        return NotThereNow(f"{name} is not in the local cache, and the Hub does not answer.", mend)
    match error:
        case errors.GatedRepoError():
            message, mend = (
                "is gated, and this account may not read it.",
                "Ask for access on its page, or set HF_TOKEN.",
            )
        case errors.RepositoryNotFoundError():
            message = "is not on the Hub, or not for this account."
            mend = "Check the name; a private model needs HF_TOKEN in the scheduler's environment."
        case errors.RevisionNotFoundError():
            message, mend = "has no such revision on the Hub.", "Check what stands after the @."
        case errors.HfHubHTTPError() | errors.HFValidationError():
            told = str(error).strip().splitlines()[0].rstrip(".")
            message, mend = f"cannot be had from the Hub: {told}.", "Check the name and the access."
        case _:
            message = "is not in the local cache, and the Hub may not be asked."
            mend = "Download it on the scheduler's machine first, or allow it to reach the Hub."
    return Unusable(f"{name} {message}", mend)


def _passes(error: Exception) -> bool:
    """Whether it is an outage: a connection that failed, or an answer that the Hub itself is in trouble or too busy."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in BUSY
    return isinstance(error, TransportError)
