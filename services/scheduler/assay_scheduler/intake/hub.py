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
            if _passes(error):
                mend = "Look at the scheduler's connection to the Hub, or download the model on its machine; ask again."
                raise NotThereNow(f"{name} is not in the local cache, and the Hub does not answer.", mend) from error
            if not isinstance(error, LocalEntryNotFoundError):
                mend = "Check the name and the access."
                raise Unusable(f"{name} cannot be had from the Hub: {error}.", mend) from error
            mend = "Download it on the scheduler's machine first, or allow it to reach the Hub."
            raise Unusable(f"{name} is not in the local cache, and the Hub was not reached.", mend) from error


def _passes(error: Exception) -> bool:
    """Whether it is an outage: a connection that failed, or an answer that the Hub itself is in trouble or too busy."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
    if isinstance(cause, HfHubHTTPError):
        return cause.response.status_code >= 500 or cause.response.status_code in BUSY
    return isinstance(cause, TransportError)
