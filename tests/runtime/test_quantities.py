"""Durations in words."""

from __future__ import annotations

from napari_slicegan.runtime.quantities import clock_time, duration


def test_times_of_a_clock() -> None:
    seconds = (0.4, 59, 59.9, 185, 7800, 60 * 3600, 1200 * 3600, 3e20)
    expected = ["0 s", "59 s", "1:00 min", "3:05 min", "2:10 h", "60:00 h", "50 days"]
    assert [clock_time(each) for each in seconds] == [*expected, "100 years or more"]


def test_a_run_without_an_end_has_no_time_of_its_end() -> None:
    """10^18 steps of 0.3 s: the user will stop it."""
    assert duration(0.3 * 1e18 / 60) == "100 years or more"
