"""From the text "package.module:function" to the function that does a job.
Never imports the module before the job runs it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from assay_chassis.compute.errors import EntrypointInvalid

if TYPE_CHECKING:
    from assay_chassis.compute.context import JobContext

Entrypoint = Callable[["JobContext"], None]
FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def check_entrypoint(text: str) -> str:
    """The same text. Raises ValueError when it does not have the form "package.module:function"."""
    if not FORM.fullmatch(text):
        raise ValueError(f'entrypoint: {text!r} is not of the form "package.module:function"')
    return text


def load_entrypoint(text: str) -> Entrypoint:
    """Import the module and return the function. Raises EntrypointInvalid, or what the import raises."""
    module_name, _, function_name = text.partition(":")
    function = getattr(importlib.import_module(module_name), function_name, None)
    if not callable(function):
        raise EntrypointInvalid(text)
    found: Entrypoint = function
    return found
