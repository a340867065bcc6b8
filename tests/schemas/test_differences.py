"""How numbers are written: three digits that people read, never powers of ten."""

from __future__ import annotations

import pytest
from assay_schemas.differences import difference, duration, hours, mean, three_digits
from assay_schemas.reports import Verdict


@pytest.mark.parametrize(
    ("value", "sign", "written"),
    [
        (0.00123, "+", "+0.00123"),
        (-0.1494, "+", "-0.149"),
        (12345.6, "+", "+12,346"),
        (12.345, "", "12.3"),
        (-0.26, "", "-0.260"),
        (100.2, "", "100"),
    ],
)
def test_a_number_has_three_digits_and_no_power_of_ten(value: float, sign: str, written: str) -> None:
    assert three_digits(value, sign) == written


@pytest.mark.parametrize(("value", "written"), [(0.35, "0.350"), (19.4287, "19.429"), (19428.7, "19,429")])
def test_a_score_has_three_decimals_unless_it_is_large(value: float, written: str) -> None:
    assert mean(value) == written


@pytest.mark.parametrize(
    ("proportion", "written"), [(True, "−12.0 points"), (False, "−0.120 mean reward"), (None, "−0.120 mean reward")]
)
def test_a_difference_has_the_unit_that_its_sentence_has(proportion: bool | None, written: str) -> None:
    told = {"arm": "a", "versus": "b", "benchmark": "c", "metric": "mean_reward", "verdict": "tied", "reason": "r"}
    one = Verdict.model_validate(
        {**told, "higher_is_better": False, "proportion": proportion, "mean": 0.4, "versus_mean": 0.52, "delta": -0.12}
    )
    assert difference(one) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-3, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.7, "1 min"), (236, "4 min"), (3570, "1 h"), (7800, "2 h 10 min"),
        (86_380, "1 d"), (90_100, "1 d 1 h"), (90_300 + 86_400, "2 d 1 h"), (86_400 + 900, "1 d"),
    ],
)  # fmt: skip
def test_time_to_come_is_said_in_units_that_people_plan_with(seconds: float, written: str) -> None:
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.0004, "<0.001"), (0.00456, "0.00456"), (0.0123, "0.0123"), (1.5, "1.50"), (1234.5, "1,234")],
)
def test_a_little_time_of_a_device_is_not_written_as_none(value: float, written: str) -> None:
    assert hours(value) == written
