"""Coarse levels of an endless volume: what was looked at, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_slicegan.generation import VolumePlan
from napari_slicegan.large_volumes import endless
from napari_slicegan.large_volumes.endless import EndlessVolume
from napari_slicegan.large_volumes.overview import Overview, empty_value, viewer_levels
from napari_slicegan.transforms import OneHotPhases, ScaleMinMax
from tests.toys import random_generator

SIZE = (40, 33, 50)


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> EndlessVolume:
    """Slices come in slabs of 4 x 16 x 16 voxels."""
    monkeypatch.setattr(endless, "SLAB", 4)
    monkeypatch.setattr(endless, "SLICE", 16)
    trained = random_generator(OneHotPhases([0, 207]))
    return EndlessVolume(VolumePlan(trained, SIZE, 3))


KEYS = [np.s_[3], np.s_[:, 5, ::2], np.s_[..., -1], np.s_[2:9, 1:3], np.s_[0:0]]


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_it_shows_what_was_looked_at(
    key: Any, factor: int, volume: EndlessVolume
) -> None:
    """Against an array that holds the same pieces; nothing more is generated."""
    volume[12, :16, :40], volume[:, 20, 3:5]
    known = np.full(SIZE, empty_value(volume), np.uint8)
    for piece, values in volume.kept():
        z, y, x = (slice(*span) for span in piece)
        known[z, y, x] = values
    before = [piece for piece, _ in volume.kept()]
    coarse = known[::factor, ::factor, ::factor]
    overview = Overview(volume, factor)
    assert (overview.shape, overview.size) == (coarse.shape, coarse.size)
    np.testing.assert_array_equal(overview[key], coarse[key])
    assert [piece for piece, _ in volume.kept()] == before != []
    # Something of both kinds is there.
    assert set(np.unique(coarse)) == {0, 1, 207}


def test_levels_halve_until_a_viewer_can_show_all_of_it() -> None:
    trained = random_generator(OneHotPhases([0, 207]))
    volume = EndlessVolume(VolumePlan(trained, (4096, 1000, 1), 3))
    levels = viewer_levels(volume)
    assert [level.shape for level in levels] == [
        (4096, 1000, 1),
        (2048, 500, 1),
        (1024, 250, 1),
        (512, 125, 1),
    ]
    assert not volume.kept()


def test_a_part_of_a_plane_cut_in_two_steps_costs_one_slab(
    volume: EndlessVolume,
) -> None:
    """As napari does: rows and columns of all planes first, then the plane."""
    [whole] = viewer_levels(volume)
    part = np.asarray(whole[:, 0:16, 0:16][5])
    assert [piece for piece, _ in volume.kept()] == [((4, 8), (0, 16), (0, 16))]
    np.testing.assert_array_equal(part, volume[5, :16, :16])


def test_empty_is_no_phase() -> None:
    for labels, empty in (([0, 1], 2), ([0, 255], 1), ([1, 2], 0)):
        trained = random_generator(OneHotPhases(labels))
        assert empty_value(EndlessVolume(VolumePlan(trained, SIZE, 3))) == empty
    gray = random_generator(ScaleMinMax(0, 1, 1, "float32"))
    assert empty_value(EndlessVolume(VolumePlan(gray, SIZE, 3))) == 0
