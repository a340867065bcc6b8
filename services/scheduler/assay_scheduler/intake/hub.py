"""Models from the Hugging Face Hub, or its local cache: `hf:org/name@revision`.

Downloads configuration, tokenizer and safetensors only; never code, never pickled weights when there are others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from assay_scheduler.intake.locations import SourceFile
from assay_scheduler.intake.unusable import Unusable

_NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+|[\w.-]+)(@(?P<revision>[\w./-]+))?")
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


class HubModels:
    """`offline` reads the local cache alone. Raises Unusable."""

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
        except LocalEntryNotFoundError as error:
            mend = "Download it on the scheduler's machine first, or allow it to reach the Hub."
            raise Unusable(f"{name} is not in the local cache, and the Hub was not reached.", mend) from error
        except (HfHubHTTPError, HFValidationError) as error:
            raise Unusable(f"{name} cannot be had from the Hub: {error}.", "Check the name and the access.") from error
