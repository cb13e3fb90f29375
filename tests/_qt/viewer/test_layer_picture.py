"""Volumes of layers as numbers and colours."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari.layers import Image, Labels

from napari_slicegan._qt.viewer.layer_picture import picture_of

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
