"""Which images a prompt shows, and which choice a response names."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.visual_multiple_choice import choices_of, letter_in, placed
from assay_evaluator.items import ShownImage

ONE, TWO = ShownImage("images/1", Path("1")), ShownImage("images/2", Path("2"))
CHOICES = ["a cat", "a dog", "two birds"]


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("b", None),
        (" (C) two birds", "C"),
        ("(A) is wrong, so (B)", "B"),
        ("The answer is B.", "B"),
        ("The correct answer is option C", "C"),
        ("A. a cat", "A"),
        ("It shows an animal that barks: a dog.", "B"),
        ("I think that it must be C", "C"),
        ("a cat and a dog", None),
        ("D", None),
        ("", None),
    ],
)
def test_the_choice_that_a_response_names(response: str, letter: str | None) -> None:
    assert letter_in(response, CHOICES) == letter


def test_images_stand_where_the_text_names_them_and_the_others_before_it() -> None:
    assert placed("What is <image 2>?", {1: ONE, 2: TWO}) == ("<image>\nWhat is <image>?", [ONE, TWO])
    assert placed("<image 1> or <image 2> or <image 1>?", {1: ONE, 2: TWO})[1] == [ONE, TWO, ONE]


@pytest.mark.parametrize("text", ["What is <image 3>?", "What is <image>?"])
def test_a_text_that_names_what_is_not_there_cannot_be_asked(text: str) -> None:
    with pytest.raises(UnusableItem, match="question: "):
        placed(text, {1: ONE})


def test_options_may_be_the_text_of_a_list_as_in_mmmu() -> None:
    assert choices_of({"options": "['a', \"b's\"]"}) == ["a", "b's"]
    for wrong in ("[", "'a'", "['a']", "__import__('os')"):
        with pytest.raises(UnusableItem, match="choices: "):
            choices_of({"options": wrong})
