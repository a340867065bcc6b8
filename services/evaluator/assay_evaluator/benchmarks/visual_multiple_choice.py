"""visual_multiple_choice: a question with images and lettered choices, answered with a letter, as in MMMU.

Never guesses: a response that names no choice has no answer, and scores 0.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from assay_schemas.benchmarks import VisualChoiceParameters
from assay_schemas.images import images_by_number
from assay_schemas.results import Sample

from assay_evaluator.benchmarks.base import Document, Logged, TaskConfig, UnusableItem, not_empty, text_of
from assay_evaluator.benchmarks.generation import GenerationBenchmark, Judgement
from assay_evaluator.benchmarks.multiple_choice import right_choice
from assay_evaluator.items import PLACE, Item, ShownImage

NAMED = re.compile(r"<image ([1-9])>")
ASK = "Answer with the option's letter from the given choices directly."
FIRST_LETTER = ord("A")
MOST_CHOICES = 26


class VisualMultipleChoice(GenerationBenchmark[VisualChoiceParameters]):
    """`accuracy` is the share of responses whose letter is the right one.

    The text may name its images where they belong (`<image 2>`), each as often as it likes; those it does not name
    are shown before it, in order. The letter is read from the response's end backwards (see `letter_in`).
    """

    primary: ClassVar[str] = "accuracy"

    @property
    def scorer(self) -> str:
        return f"visual_multiple_choice/{self.version}"

    def document(self, item: Item) -> Document:
        choices = choices_of(item.row)
        answer = right_choice(item.row.get("answer"), choices)
        question = not_empty(text_of(item, "question", "prompt"), "question")
        missing = set(images_by_number(item.row)) - set(item.images)
        if missing or not item.images:
            raise UnusableItem("image: is not kept with the items; name its file in image, images, or image_1 to 9")
        lettered = "\n".join(f"({_letter(place)}) {choice}" for place, choice in enumerate(choices))
        prompt, shown = placed(f"{question}\n\n{lettered}\n\n{ASK}", item.images)
        return {
            "id": item.id,
            "prompt": prompt,
            "answer": _letter(answer),
            "target": _letter(answer),
            "choices": choices,
            "keys": [image.key for image in shown],
            "files": [str(image.path) for image in shown],
        }

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        return {**super().task(documents), "doc_to_image": shown_images}

    def extract(self, response: str) -> str | None:
        raise UnusableItem(f"choices: are missing, and {response[:20]!r} says nothing without them")

    def target(self, answer: str) -> str:
        return answer

    def score(self, extracted: str | None, target: str) -> float:
        return float(extracted == target)

    def judge(self, response: str, document: Document) -> Judgement:
        letter = letter_in(response, document["choices"])
        return Judgement(letter, self.score(letter, document["answer"]))

    def kept(self, document: Document) -> Mapping[str, Any]:
        return {"answer": document["answer"], "choices": document["choices"]}

    def stored(self, answer: str, details: Mapping[str, Any]) -> Document:
        if not details.get("choices"):
            raise UnusableItem("choices: are not stored with the sample; evaluate again")
        return {"answer": answer, "target": answer, "choices": details["choices"]}

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        found = super().samples(item, document, logged)
        return [sample.model_copy(update={"images": tuple(document["keys"])}) for sample in found]


def shown_images(document: Document) -> list[Any]:
    """The document's images for the engine, in the order of their places in the prompt."""
    return [ShownImage(key, Path(file)) for key, file in zip(document["keys"], document["files"], strict=True)]


def choices_of(row: Mapping[str, Any]) -> list[str]:
    """`choices`, or `options` as a list or, as MMMU writes it, the text of one. Raises UnusableItem."""
    given = row.get("choices", row.get("options"))
    if isinstance(given, str):
        try:
            given = ast.literal_eval(given)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            given = None
    if not isinstance(given, list) or not 2 <= len(given) <= MOST_CHOICES or not all(str(one).strip() for one in given):
        raise UnusableItem("choices: is not a list of 2 to 26 texts; give every choice as text")
    return [str(choice) for choice in given]


def placed(text: str, images: Mapping[int, ShownImage]) -> tuple[str, list[ShownImage]]:
    """The prompt with a place for each image it shows, and the images in that order. Raises UnusableItem."""
    if PLACE in text:
        raise UnusableItem(f"question: has {PLACE} itself; number it, as in <image 1>")
    named = [int(number) for number in NAMED.findall(text)]
    if unknown := set(named) - set(images):
        raise UnusableItem(f"question: names <image {min(unknown)}>, which the row has not; give image_{min(unknown)}")
    first = [number for number in images if number not in named]
    before = "".join(f"{PLACE}\n" for _ in first)
    return before + NAMED.sub(PLACE, text), [images[number] for number in (*first, *named)]


def letter_in(response: str, choices: Sequence[str]) -> str | None:
    """The choice a response names: the last letter in brackets, else the last after `answer`, else a letter that the
    response begins with or is, else the last letter that stands alone; else the only choice whose text it contains.
    """
    letters = "".join(_letter(place) for place in range(len(choices)))
    ways = (
        rf"\(([{letters}])\)",
        rf"(?i:answer)\W+(?i:is\W+|option\W+)*([{letters}])\b",
        rf"^\W*([{letters}])(?=$|[\s.,:;)])",
        rf"(?<![\w'])([{letters}])(?![\w'])",
    )
    for way in ways:
        if found := re.findall(way, response.strip()):
            return str(found[-1])
    said = [place for place, choice in enumerate(choices) if choice.strip().lower() in response.lower()]
    return _letter(said[0]) if len(said) == 1 else None


def _letter(place: int) -> str:
    return chr(FIRST_LETTER + place)
