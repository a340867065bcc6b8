"""What an arm's rows look like, by their columns."""

from __future__ import annotations

from assay_reporter.diagnosis.differences import oddities
from assay_reporter.diagnosis.sheet import fingerprint, sheet_of


def test_prompts_that_a_policy_is_to_answer_are_no_empty_answers():
    prompts = [{"prompt": f"What is {n} and one?", "answer": str(n + 1)} for n in range(20)]
    assert list(oddities("right", sheet_of(prompts, 20, fingerprint), {})) == []
    empty = [{**row, "completion": ""} for row in prompts]
    assert "right: 100 % of answers are empty." in oddities("right", sheet_of(empty, 20, fingerprint), {})


def test_answers_without_a_closing_mark_are_counted_whatever_space_is_behind_them():
    ends = ["seven.", "seven. \n", "seven 7", "seven\n", "seven,  ", ""]
    rows = [{"prompt": f"{n}?", "completion": f"It is {end}" if end else ""} for n, end in enumerate(ends)]
    sheet = sheet_of(rows, 6, fingerprint)
    assert (sheet.unended_answers, sheet.answer_words, sheet.longest_answer_words) == (2 / 6, 3, 4)


def test_the_share_of_a_language_is_of_all_answers_and_not_of_those_that_tell():
    german = {"prompt": "?", "completion": "Der Bauer hat sieben Körbe und kauft noch einen, also sind es acht."}
    rows = [{"prompt": "?", "completion": "4*3=12 #### 12"}] * 9 + [german]
    assert sheet_of(rows, 10, fingerprint).languages == {"German": 0.1}
