"""Makes the harness's index of its tasks: what lm-eval's own says, with each of its files read once.

Never loads a task. lm-eval's own reads a file again for each of the thousands that include it.
"""

from __future__ import annotations

from os.path import dirname, join, normpath
from pathlib import Path
from typing import Any

import yaml
from lm_eval.tasks._index import Entry, TaskIndex
from lm_eval.tasks._yaml_loader import _Base

Config = dict[str, Any]
NAMING = ("class", "group", "task", "tag", "include")
"""What of a file says what it is called; nothing else is kept."""


class _Loader(_Base):  # type: ignore[misc]
    """lm-eval's, where functions stay names."""


yaml.add_constructor("!function", lambda loader, node: str(loader.construct_scalar(node)), Loader=_Loader)


class TaskFiles:
    """The YAML files of a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, Config] = {}

    def index(self) -> dict[str, Entry]:
        """Tasks, groups and tags by name. As in lm-eval, a file that cannot be read has none, and of several files of
        one name the first counts."""
        found: dict[str, Entry] = {}
        for path in TaskIndex._iter_yaml_files(self._root):
            try:
                TaskIndex.process_cfg(self._with_includes(str(path), set()), path, found)
            except Exception:  # a file of another kind, whatever is wrong with it
                continue
        return found

    def _with_includes(self, path: str, met: set[str]) -> Config:
        """A file over those that it includes. As in lm-eval, one that is met twice makes the whole unreadable."""
        path = normpath(path)  # to resolve links takes as long as to read the file
        if path in met:
            raise ValueError(f"{path} is included twice")
        met.add(path)
        own = dict(self._own(path))
        if "include" not in own:
            return own
        includes = own.pop("include")
        merged: Config = {}
        for one in includes if isinstance(includes, list) else [includes]:
            merged |= self._with_includes(join(dirname(path), one), met)  # noqa: PTH118, PTH120
        return merged | own

    def _own(self, path: str) -> Config:
        if path not in self._read:
            self._read[path] = _naming_part(path)
        return self._read[path]


def _naming_part(path: str) -> Config:
    loader = _Loader(Path(path).read_bytes())
    try:
        config = loader.get_single_data()
    finally:
        loader.dispose()
    if not isinstance(config, dict):
        raise ValueError(f"{path} holds no mapping")
    return {key: config[key] for key in NAMING if key in config}
