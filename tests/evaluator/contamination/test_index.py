"""The overlap index against a count by hand: every n-gram as a tuple of words, in sets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from assay_evaluator.contamination.index import OverlapIndex
from assay_evaluator.contamination.words import item_texts, trained_texts, words_of

SENTENCE = "the quick brown fox jumps over the lazy dog and then sleeps in the warm sun all day"
ITEMS = {
    "fox": [SENTENCE],
    "other": ["nothing of this stands in any of the rows that a model has ever seen before now"],
}


def overlaps(items: Mapping[str, Sequence[str]], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    index = OverlapIndex(items)
    index.scan(rows)
    return {overlap.item_id: overlap for overlap in index.overlaps()}


def grams(texts: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    for text in texts:
        words = words_of(text)
        yield from (tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def test_an_item_that_is_in_a_row_word_for_word_is_contaminated_and_the_row_is_named() -> None:
    found = overlaps(ITEMS, [{"text": "x"}, {"text": f"He said: {SENTENCE.upper()}!"}, {"text": SENTENCE}])
    assert (found["fox"].share(8), found["fox"].share(13), found["fox"].contaminated) == (1.0, 1.0, True)
    assert found["fox"].row == 1
    assert (found["other"].share(8), found["other"].contaminated, found["other"].row) == (0.0, False, None)


def test_counts_are_those_of_sets_of_word_tuples() -> None:
    draw = random.Random(3)
    words = [f"w{number}" for number in range(12)]

    def text(length: int) -> str:
        return " ".join(draw.choice(words[:2] if draw.random() < 0.8 else words) for _ in range(length))

    items = {f"item-{place}": [text(draw.randint(1, 40)) for _ in range(2)] for place in range(9)}
    rows = [{"prompt": text(60), "completion": text(200)} for _ in range(40)]
    found = overlaps(items, rows)
    for n in (8, 13):
        seen = {gram for row in rows for gram in grams(list(row.values()), n)}
        for name, texts in items.items():
            mine = list(grams(texts, n))
            assert found[name].ngrams[n] == len(mine)
            assert found[name].shared[n] == sum(gram in seen for gram in mine)
    assert sum(overlap.shared[13] for overlap in found.values()) > 0


def test_rows_may_come_in_parts_and_keep_their_places() -> None:
    rows = [{"text": f"filler {number}"} for number in range(5)] + [{"text": SENTENCE}]
    whole, parts = OverlapIndex(ITEMS), OverlapIndex(ITEMS)
    whole.scan(rows)
    parts.scan(rows[:3])
    parts.scan(rows[3:])
    assert whole.overlaps() == parts.overlaps()
    assert parts.overlaps()[0].row == 5


def test_n_grams_do_not_cross_from_one_text_into_another() -> None:
    halves = SENTENCE.split()
    found = overlaps(ITEMS, [{"prompt": " ".join(halves[:7]), "completion": " ".join(halves[7:])}])
    assert found["fox"].shared == {8: 4, 13: 0}


def test_short_items_are_judged_by_all_their_8_grams_or_not_at_all() -> None:
    items = {"nine": ["one two three four five six seven eight nine"], "five": ["one two three four five"]}
    part = overlaps(items, [{"text": "one two three four five six seven eight"}])
    assert (part["nine"].contaminated, part["nine"].share(13), part["five"].contaminated) == (False, None, None)
    assert overlaps(items, [{"text": "zero one two three four five six seven eight nine"}])["nine"].contaminated


def test_what_many_items_have_in_common_counts_for_none() -> None:
    opening = "please answer the following question step by step and give the number at the end"
    items = {f"item-{number}": [f"{opening} what is {number} plus {number}"] for number in range(30)}
    found = overlaps(items, [{"text": opening}])
    assert not any(overlap.contaminated for overlap in found.values())
    assert all(overlap.ngrams[8] == 3 for overlap in found.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 3.5 €, Ｆｕｌｌ width!", ["it", "s", "3", "5", "full", "width"]),
        ("東京 は", ["東", "京", "は"]),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_whatever_their_form(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_notes_beside_the_trained_columns_and_ids_are_not_compared() -> None:
    row = {"id": "a", "prompt": [{"role": "user", "content": "hello"}], "source": SENTENCE, "completion": "yes"}
    assert trained_texts(row) == ("hello", "yes")
    assert item_texts({"id": "a", "question": "q", "choices": {"text": ["x", "y"], "n": [1]}}) == ("q", "x", "y")


def test_no_items_and_no_rows_are_no_overlap() -> None:
    assert overlaps({}, [{"text": SENTENCE}]) == {}
    assert overlaps({"empty": []}, [])["empty"].contaminated is None
