from __future__ import annotations

import pytest

from napari_slicegan._qt.viewer.colours import phase_colours


@pytest.mark.parametrize("n", [2, 5])
def test_colours_are_those_of_the_reports(n: int) -> None:
    from matplotlib import colormaps

    colours = phase_colours(range(10, 10 + n))
    for number, colour in enumerate(colours.values()):
        assert colour == pytest.approx(colormaps["viridis"](number / (n - 1)), abs=0.07)


def test_colours_belong_to_the_labels_in_rising_order() -> None:
    assert phase_colours((255, 0)) == phase_colours((0, 255))
    assert list(phase_colours((255, 0, 128))) == [0, 128, 255]


def test_a_single_phase_has_a_colour() -> None:
    assert phase_colours((7,))[7] == pytest.approx((0.267, 0.005, 0.329, 1))
