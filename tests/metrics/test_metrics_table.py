from __future__ import annotations

import numpy as np

from napari_slicegan.metrics import METRICS

RNG = np.random.default_rng(0)


def test_every_entry_measures_images_and_volumes() -> None:
    for shape in ((40, 50), (12, 14, 16)):
        values = RNG.random(shape) < 0.5
        for metric in METRICS.values():
            for axis in range(len(shape)):
                value = metric.function(values, 7, axis)
                assert np.isfinite(value).all(), metric.title
                assert np.shape(value) in ((), (8,)), metric.title


def test_sections_and_volumes_have_the_same_expectation() -> None:
    """Except for the metrics that need 3-D."""
    volume = RNG.random((90, 90, 90)) < 0.3
    section = RNG.random((600, 600)) < 0.3
    for metric in METRICS.values():
        if not metric.only_3d:
            np.testing.assert_allclose(
                metric.function(section, 5, 1),
                metric.function(volume, 5, 2),
                atol=0.005,
                rtol=0.02,
                err_msg=metric.title,
            )
