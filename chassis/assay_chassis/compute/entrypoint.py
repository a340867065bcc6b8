"""From the text "package.module:function" to the function that does a job.
Never imports the module before the job runs it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

from assay_chassis.compute.errors import EntrypointInvalid

FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def check_entrypoint(text: str) -> str:
    """The same text. Raises ValueError when it does not have the form "package.module:function"."""
    if not FORM.fullmatch(text):
        raise ValueError(f'entrypoint: {text!r} is not of the form "package.module:function"')
    return text


def load_entrypoint(text: str) -> Callable[..., None]:
    """Import the module and return the function, which takes a JobContext. Raises EntrypointInvalid, or what the
    import raises."""
    module_name, _, function_name = text.partition(":")
    function = getattr(importlib.import_module(module_name), function_name, None)
    if not callable(function):
        raise EntrypointInvalid(text)
    found: Callable[..., None] = function
    return found
