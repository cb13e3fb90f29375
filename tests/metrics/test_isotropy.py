from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.isotropy import isotropy
from tests.reports import colour, gray, phases


def test_isotropic_materials_are_seldom_taken_for_others() -> None:
    found = [isotropy([phases(96, 96, seed=seed)]) for seed in range(40)]
    verdicts = [one.is_isotropic for one in found if one is not None]
    assert len(verdicts) == 40
    assert sum(verdicts) >= 38


def test_long_features_are_seen_along_their_axis() -> None:
    found = isotropy([phases(60, 60, 60, seed=1, sigma=(2, 2, 4))])
    assert found is not None
    assert not found.is_isotropic
    # Crossings along x are those of a field of twice the length: 1 : 1 : 1/2,
    # relative to the mean 5/6.
    assert found.departures == pytest.approx((0.2, 0.2, -0.4), abs=0.06)
    assert found.largest == found.departures[2]


def test_gray_values_and_colours() -> None:
    for make, channels in ((gray, 1), (colour, 3)):
        for stretch in (1, 3):
            image = np.repeat(make(96, 96, seed=1), stretch, axis=1)[:, :96]
            found = isotropy([image], channels)
            assert found is not None
            assert found.is_isotropic == (stretch == 1)


def test_too_little_tells_nothing() -> None:
    assert isotropy([phases(20, 20, seed=1)]) is None
    assert isotropy([np.zeros((96, 96), int)]) is None
