"""Images in a question to an endpoint: parts of a message, each image as a data URI at its place in the text.

Sends a file's bytes as they are; a picture in memory goes as PNG.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from assay_schemas.images import media_type_of_key

from assay_evaluator.items import PLACE, ShownImage


def content_with(prompt: str, images: Sequence[Any]) -> str | list[dict[str, Any]]:
    """The content of a user's message: the prompt alone, or its parts with an image at each of its places; images
    that have no place come after the text."""
    if not images:
        return prompt
    parts: list[dict[str, Any]] = []
    for text, image in zip_longest(prompt.split(PLACE), images, fillvalue=None):
        if text and text.strip():
            parts.append({"type": "text", "text": text})
        if image is not None:
            parts.append({"type": "image_url", "image_url": {"url": data_uri(image)}})
    return parts


def data_uri(image: Any) -> str:
    """The image as base64 in a URI."""
    if isinstance(image, ShownImage):
        kind, data = media_type_of_key(image.key), image.path.read_bytes()
    else:
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "PNG")
        kind, data = "image/png", buffer.getvalue()
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
