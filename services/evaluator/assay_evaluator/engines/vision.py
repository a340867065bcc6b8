"""The transformers engine for models that see: lm-eval's own HFMultimodalLM, with images that are opened when shown.

Gives the numbers HFMultimodalLM gives. What shows no image is computed as for any other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lm_eval.models.hf_vlms import HFMultimodalLM
from lm_eval.models.utils import normalize_gen_kwargs
from PIL import Image

from assay_evaluator.engines.base import EngineSettings, FailedText, Progress
from assay_evaluator.engines.transformers import TransformersEngine
from assay_evaluator.failures import bad_input
from assay_evaluator.items import ShownImage


def open_engine(settings: EngineSettings, progress: Progress) -> VisionEngine:
    """Raises JobFailed for a folder without what prepares images, and where that needs a library that is not here."""
    if not any(settings.folder.glob("*processor_config.json")):
        raise bad_input(
            "model: sees images, but its folder has no preprocessor_config.json; save the processor beside the model"
        )
    try:
        return VisionEngine(settings, progress)
    except ImportError as error:
        raise bad_input(f"model: its processor needs what is not installed where evaluations run: {error}") from error


class VisionEngine(TransformersEngine, HFMultimodalLM):  # type: ignore[misc]
    """HFMultimodalLM whose rows stop on their own, and which remembers how each of them ended.

    An item whose images and prompt leave no room for the answer fails alone: an image that is cut in the middle is no
    image.
    """

    @property
    def max_length(self) -> int:
        """Tokens of the part that reads, which the configuration of the whole does not say."""
        reads = self.model.config.get_text_config()
        return int(getattr(reads, "max_position_embeddings", None) or super().max_length)

    @property
    def has_chat_template(self) -> bool:
        return bool(getattr(self.processor, "chat_template", None)) or super().has_chat_template

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        asked = [_unopened(request) for request in requests]
        too_long = {place: words for place, one in enumerate(asked) if (words := self._no_room(one))}
        fitting = [one for place, one in enumerate(asked) if place not in too_long]
        texts = iter(super().generate_until(fitting) if fitting else ())
        return [FailedText(too_long[place]) if place in too_long else next(texts) for place in range(len(requests))]

    def _no_room(self, request: Any) -> str:
        """Why a request with images cannot be asked; nothing where it can."""
        prompt, settings, *shown = request.args
        if not shown:
            return ""
        tokens = self.tok_batch_multimodal_encode([prompt], [shown[0]["visual"]])["input_ids"].shape[1]
        room = self.max_length - normalize_gen_kwargs(settings, self.max_gen_toks)["max_gen_toks"]
        if tokens <= room:
            return ""
        return f"prompt and images are {tokens} tokens, and the model's context has room for {room} beside the answer"

    def tok_batch_multimodal_encode(
        self, strings: list[str], images: list[list[Any]], *args: Any, **kwargs: Any
    ) -> Any:
        opened = [[image.convert("RGB") for image in shown] for shown in images]
        return super().tok_batch_multimodal_encode(strings, opened, *args, **kwargs)

    def _model_multimodal_generate(
        self, inputs: Any, max_length: int, stop: list[str], **settings: Any
    ) -> torch.Tensor:
        """Token ids [rows, prompt + new], as for text; `inputs` has the images beside the prompt's ids."""
        shown = {name: value for name, value in inputs.items() if name != "input_ids"}
        return self._model_generate(inputs["input_ids"], max_length, stop, **shown, **settings)


@dataclass(frozen=True)
class _Unopened:
    """An image that is read when its batch is; the harness looks at its size before."""

    path: Path

    @property
    def size(self) -> tuple[int, int]:
        with Image.open(self.path) as picture:
            return picture.width, picture.height

    def convert(self, mode: str) -> Image.Image:
        with Image.open(self.path) as picture:
            return picture.convert(mode)


def _unopened(request: Any) -> Any:
    """The request with its images unopened; what the harness's own tasks show are pictures already."""
    prompt, settings, *shown = request.args
    if not shown:
        return request
    images = [_Unopened(image.path) if isinstance(image, ShownImage) else image for image in shown[0]["visual"]]
    return SimpleNamespace(args=(prompt, settings, {**shown[0], "visual": images}), task_name=request.task_name)
