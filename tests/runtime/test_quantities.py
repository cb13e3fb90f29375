"""Durations in words."""

from __future__ import annotations

from napari_slicegan.runtime.quantities import bytes_in_words, clock_time, duration


def test_times_of_a_clock() -> None:
    seconds = (0.4, 59, 59.9, 185, 7800, 60 * 3600, 1200 * 3600, 3e20)
    expected = ["0 s", "59 s", "1:00 min", "3:05 min", "2:10 h", "60:00 h", "50 days"]
    assert [clock_time(each) for each in seconds] == [*expected, "100 years or more"]


def test_a_run_without_an_end_has_no_time_of_its_end() -> None:
    """10^18 steps of 0.3 s: the user will stop it."""
    assert duration(0.3 * 1e18 / 60) == "100 years or more"


def test_sizes_have_two_digits_and_no_exponent() -> None:
    sizes = {260e3: "0.26 MB", 99.7e6: "0.1 GB", 540e6: "0.54 GB", 23.4e9: "23 GB"}
    for n, words in sizes.items():
        assert bytes_in_words(n) == words
    assert bytes_in_words(9.97e9) == "10 GB"
