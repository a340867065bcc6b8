"""The lag of a group, in seconds since everything was handled."""

from __future__ import annotations

import math

from assay_chassis.lag import LagMeter


def test_nothing_is_known_before_the_first_look() -> None:
    assert LagMeter().seconds(100) == math.inf


def test_an_empty_topic_is_not_behind() -> None:
    meter = LagMeter()
    meter.look(10, {0: 0}, {0: 0})
    assert meter.seconds(10) == 0


def test_a_held_record_lets_the_lag_grow_from_the_last_time_all_was_handled() -> None:
    meter = LagMeter()
    meter.look(10, {0: 5, 1: 7}, {0: 5, 1: 7})
    meter.look(11, {0: 6, 1: 9}, {0: 5, 1: 7})
    assert (meter.seconds(15), meter.records) == (5, 3)


def test_catching_up_with_an_earlier_look_counts_from_that_look() -> None:
    meter = LagMeter()
    meter.look(10, {0: 5}, {0: 0})
    meter.look(20, {0: 9}, {0: 0})
    meter.look(30, {0: 9}, {0: 6})
    assert meter.seconds(30) == 20
    meter.look(40, {0: 9}, {0: 9})
    assert meter.seconds(40) == 0


def test_a_partition_that_nobody_handles_counts_as_behind() -> None:
    meter = LagMeter()
    meter.look(10, {0: 1, 1: 1}, {0: 1})
    assert meter.seconds(10) == math.inf
