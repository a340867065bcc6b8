"""Items: stable ids, an order by hash, and limits that are prefixes."""

from __future__ import annotations

from assay_evaluator.items import ordered_items

ROWS = [{"prompt": f"question {number}", "answer": str(number)} for number in range(50)]


def test_the_order_does_not_depend_on_the_order_of_rows() -> None:
    forward = [item.id for item in ordered_items(ROWS)]
    backward = [item.id for item in ordered_items(ROWS[::-1])]
    assert forward == backward


def test_a_limit_takes_a_spread_of_the_file_and_not_its_first_lines() -> None:
    chosen = {item.index for item in ordered_items(ROWS)[:10]}
    assert chosen != set(range(10))
    assert max(chosen) >= 25


def test_rows_added_elsewhere_leave_the_order_of_the_others() -> None:
    known = [item.id for item in ordered_items(ROWS)]
    more = [item.id for item in ordered_items([*ROWS, {"prompt": "new", "answer": "1"}])]
    assert [id for id in more if id in set(known)] == known


def test_index_says_where_the_row_is_in_the_snapshot() -> None:
    assert all(ROWS[item.index] == item.row for item in ordered_items(ROWS))


def test_equal_rows_are_items_of_their_own() -> None:
    items = ordered_items([ROWS[0], ROWS[0], {**ROWS[0], "id": "given"}])
    assert len({item.id for item in items}) == 3
    assert "given" in {item.id for item in items}
