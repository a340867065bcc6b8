"""Preference rows as they are published come out with the prompt apart."""

from __future__ import annotations

from typing import Any

import pytest
from assay_trainer.data.preferences import prompt_apart
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput

ASKED = {"role": "user", "content": "2+2?"}
FIRST = [{"role": "system", "content": "Be brief."}, ASKED]
FOUR, FIVE = ({"role": "assistant", "content": answer} for answer in ("4", "5"))


def apart(prompt: Any, chosen: Any, rejected: Any) -> tuple[Any, Any, Any]:
    row = prompt_apart(Row("r", 3, {"prompt": prompt, "chosen": chosen, "rejected": rejected, "source": "a"}))
    assert (row.id, row.line, row.columns["source"]) == ("r", 3, "a")
    return row.columns["prompt"], row.columns["chosen"], row.columns["rejected"]


def test_turns_that_both_answers_begin_with_are_the_prompt() -> None:
    assert apart("2+2?", [ASKED, FOUR], [ASKED, FIVE]) == ([ASKED], [FOUR], [FIVE])
    assert apart("2+2? ", [*FIRST, FOUR], [*FIRST, FIVE]) == (FIRST, [FOUR], [FIVE])


def test_answers_that_are_equal_stay_answers() -> None:
    assert apart("2+2?", [ASKED, FOUR], [ASKED, FOUR]) == ([ASKED], [FOUR], [FOUR])


def test_a_prompt_as_text_before_answers_as_messages_is_the_users() -> None:
    assert apart("2+2?", [FOUR], [FIVE]) == ([ASKED], [FOUR], [FIVE])


@pytest.mark.parametrize("row", [("2+2?", "4", "5"), ([ASKED], [FOUR], [FIVE]), ("2+2?", "4", [FIVE])])
def test_other_rows_stay_as_they_are(row: tuple[Any, Any, Any]) -> None:
    assert apart(*row) == row


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("3+3?", [ASKED, FOUR], [ASKED, FIVE]), "line 3: prompt is not in the turns"),
        (("2+2?", [ASKED], [ASKED, FIVE]), "line 3: chosen has no turn of its own"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(row: tuple[Any, Any, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        apart(*row)
