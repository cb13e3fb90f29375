"""Volumes of layers as numbers and colours; colours of phases."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari.layers import Image, Labels

from napari_slicegan._qt.viewer.layer_picture import phase_colours, picture_of

EDGE = 256
N_VALUES = {"phases": 3, "objects": 1000}


@pytest.mark.parametrize("what", ["objects", "phase image", "colours"])
def test_a_picture_takes_one_byte_a_voxel_beside_its_layer(what: str) -> None:
    rng = np.random.default_rng(0)
    layer: Any
    if what == "colours":
        layer = Image(rng.random((EDGE, EDGE, EDGE // 2, 3), np.float32), rgb=True)
    else:
        values = rng.integers(0, N_VALUES.get(what, 2), (EDGE,) * 3, np.int32)
        layer = Labels(values) if what in N_VALUES else Image(values)
    n_voxels = np.prod(layer.data.shape[:3])
    tracemalloc.start()
    try:
        picture = picture_of(layer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert picture.values.nbytes == n_voxels
    assert peak < 1.2 * n_voxels


@pytest.mark.parametrize("n", [2, 5])
def test_colours_are_those_of_the_reports(n: int) -> None:
    from matplotlib import colormaps

    colours = phase_colours(range(10, 10 + n))
    for number, colour in enumerate(colours.values()):
        assert colour == pytest.approx(colormaps["viridis"](number / (n - 1)), abs=0.01)


def test_colours_belong_to_the_labels_in_rising_order() -> None:
    assert phase_colours((255, 0)) == phase_colours((0, 255))
    assert list(phase_colours((255, 0, 128))) == [0, 128, 255]


def test_a_single_phase_has_a_colour() -> None:
    assert phase_colours((7,))[7] == pytest.approx((0.267, 0.005, 0.329, 1), abs=1e-3)
