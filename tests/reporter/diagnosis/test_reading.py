"""What texts are told apart by: language, the answer in any form, and why a response is wrong."""

from __future__ import annotations

import random

import pytest
from assay_reporter.diagnosis.causes import Response, cause_of, refuses
from assay_reporter.diagnosis.language import language_of
from assay_reporter.diagnosis.lenient import holds_the_answer
from assay_reporter.diagnosis.rows import WORD, words_in


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The farmer has seven baskets, so there are eight of them in the end.", "English"),
        ("Der Bauer hat sieben Körbe und kauft noch einen, also sind es acht.", "German"),
        ("Le fermier a sept paniers et il en achète un, donc il y en a huit dans la cour.", "French"),
        ("El granjero tiene siete cestas y compra una más, entonces son ocho en total.", "Spanish"),
        ("农夫有七个篮子,又买了一个,所以有八个。", "Chinese"),
        ("У фермера семь корзин, он купил ещё одну.", "Russian or another in Cyrillic"),
        ("4*3=12, 7+12=19 #### 19", ""),
        ("O'Neil met O'Neil: 4 plus 5 makes 9", ""),
        ("O'Neil said to O'Neil: 4 and 5 make 9", "English"),
        ("", ""),
    ],
)
def test_languages_are_told_by_script_and_common_words(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("response", "target"),
    [
        ("The answer is **19**.", "19"),
        (r"So we get \boxed{1{,}234}".replace("{,}", ","), "1234"),
        ("Therefore x = $1,234.50", "1234.5"),
        ("7 + 12 = 19", "19"),
        ("She has 1 200 apples", "1200"),
        ("The capital is Paris.", "paris"),
        ("I think it is (B)", "B"),
        ("reasoning\n\n**New York**", "New York"),
    ],
)
def test_a_right_answer_is_found_in_whatever_form(response, target):
    assert holds_the_answer(response, target)


@pytest.mark.parametrize(
    ("response", "target"),
    [
        ("The answer is 18.", "19"),
        ("", "19"),
        ("19 apples and 4 pears make 23", "19"),
        ("Paris is not it: Rome", "Paris"),
    ],
)
def test_a_wrong_answer_stays_wrong_when_read_leniently(response, target):
    assert not holds_the_answer(response, target)


def test_a_harness_that_reads_leniently_itself_is_believed():
    details = '{"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}'
    assert holds_the_answer("who knows", "19", details)


PROMPT = "The farmer has seven baskets and buys one more. How many are there?"
RIGHT = "Seven and one is eight, so there are eight of them. #### 8"


@pytest.mark.parametrize(
    ("text", "finish", "cause"),
    [
        ("The answer is 8.", "stop", "format"),
        ("I'm sorry, but I can't help with that.", "stop", "refusal"),
        ("I’m sorry, I cannot do that.", "stop", "refusal"),
        ("Let us think about the baskets of the farmer, each of", "length", "truncation"),
        ("The answer is 9. Next question: what is", "length", "content"),
        ("Der Bauer hat sieben Körbe und verkauft einen, also sind es sechs. #### 6", "stop", "language"),
        ("  ", "stop", "length"),
        ("so " * 200 + "#### 9", "stop", "length"),
        ("Seven and one is nine. #### 9", "stop", "content"),
    ],
)
def test_a_wrong_response_has_the_cause_that_explains_it(text, finish, cause):
    assert cause_of(Response(PROMPT, "8", text, finish, other=RIGHT)) == cause


def test_an_apology_in_the_middle_is_no_refusal():
    assert not refuses("The story goes on. " * 20 + "I'm sorry, she said.")


def test_words_of_plain_text_are_those_that_the_pattern_finds():
    chance = random.Random(5)
    for _ in range(500):
        text = "".join(chr(chance.randrange(128)) for _ in range(80))
        assert words_in(text) == WORD.findall(text.casefold())
        assert words_in(f"{text}é") == WORD.findall(f"{text}é".casefold())
