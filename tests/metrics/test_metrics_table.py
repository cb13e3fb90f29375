from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics import METRICS

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("shape", [(40, 50), (20, 30, 40)])
def test_every_entry_measures_images_and_volumes(
    name: str, shape: tuple[int, ...]
) -> None:
    values = RNG.random(shape) < 0.5
    for axis in range(len(shape)):
        value = METRICS[name].function(values, 7, axis)
        assert np.isfinite(value).all()
        assert np.shape(value) in ((), (8,))


@pytest.mark.parametrize(
    "name", [name for name in METRICS if not METRICS[name].only_3d]
)
def test_a_section_tells_what_the_volume_is(name: str) -> None:
    # What is not marked 3-D only has the same expectation in both.
    volume = RNG.random((90, 90, 90)) < 0.3
    section = RNG.random((600, 600)) < 0.3
    of_volume = METRICS[name].function(volume, 5, 2)
    np.testing.assert_allclose(
        METRICS[name].function(section, 5, 1), of_volume, atol=0.005, rtol=0.02
    )
