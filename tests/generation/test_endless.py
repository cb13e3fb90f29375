"""The endless volume: generated when looked at, kept within bounds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation import lazy as boxes
from napari_slicegan.generation import lazy as endless
from napari_slicegan.generation.edits import Edit
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import EndlessVolume, lazy_volume
from tests.toys import random_generator

SIZE = (30, 41, 52)
PHASES = random_generator(OneHotPhases([7, 207]))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[boxes.Spans]:
    """The pieces that are generated; of 4 and 8 voxels, so that there are some."""
    pieces: list[boxes.Spans] = []
    real = boxes.box_values

    def noted(plan: VolumePlan, box: boxes.Spans) -> NDArray[Any]:
        pieces.append(box)
        return real(plan, box)

    monkeypatch.setattr(endless, "box_values", noted)
    monkeypatch.setattr(endless, "SLAB", 4)
    monkeypatch.setattr(endless, "SLICE", 16)
    monkeypatch.setattr(endless, "SOLID", 8)
    return pieces


@pytest.fixture(scope="module")
def whole() -> NDArray[Any]:
    return generate(PHASES, SIZE, 3).values


KEYS: list[Any] = [
    np.s_[5],
    np.s_[:, 7],
    np.s_[..., -1],
    np.s_[3:9, 1:40, ::3],
    np.s_[29:0:-2, 5, 3:50],
    np.s_[np.int64(4), 0, 0],
    np.s_[5:5],
    np.s_[:, :, :],
]


def test_it_is_indexed_as_an_array(
    whole: NDArray[Any], made: list[boxes.Spans]
) -> None:
    lazy = EndlessVolume(VolumePlan(PHASES, SIZE, 3))
    assert (lazy.shape, lazy.dtype, lazy.ndim) == (whole.shape, whole.dtype, 3)
    assert not made
    for key in KEYS:
        found = lazy[key]
        assert found.shape == whole[key].shape, key
        # But for ties of the probabilities in the last digit.
        assert found.size == 0 or (found != whole[key]).mean() < 1e-3, key
    assert len(made) == len(set(made))


def test_colours() -> None:
    trained = random_generator(ScaleMinMax(0, 255, 3, "uint8"))
    expected = generate(trained, (8, 9, 10), 3).values
    lazy = EndlessVolume(VolumePlan(trained, (8, 9, 10), 3))
    assert lazy.shape == (8, 9, 10, 3)
    for key in (np.s_[2], np.s_[..., 1], np.s_[2, 3, 4, 0]):
        difference = np.abs(lazy[key].astype(int) - expected[key])
        # Rounded to whole numbers: the last digit may tip.
        assert difference.max() <= 1


def test_a_slice_is_made_of_thin_slabs_along_any_axis(made: list[boxes.Spans]) -> None:
    """And its neighbours are there with it."""
    lazy = EndlessVolume(VolumePlan(PHASES, (64, 64, 64), 3))
    for axis in range(3):
        made.clear()
        for place in (8, 9, 10, 11):
            lazy[tuple(place if a == axis else slice(0, 32) for a in range(3))]
        assert len(made) == 4
        for box in made:
            assert box[axis] == (8, 12)
            assert [b - a for a, b in box].count(16) == 2


def test_the_cache_is_bounded_and_keeps_what_was_used_last(
    made: list[boxes.Spans],
) -> None:
    """Slabs of 4 x 16 x 16 voxels of a byte; room for three of them."""
    lazy = EndlessVolume(VolumePlan(PHASES, (64, 16, 16), 3), cache_bytes=3 * 1024)
    for place in (0, 4, 8, 0, 12, 16):
        lazy[place]
        assert sum(piece.nbytes for _, piece in lazy.kept()) <= 3 * 1024
    assert len(made) == 5
    made.clear()
    lazy[0], lazy[16]
    assert not made
    lazy[4]
    assert len(made) == 1


def test_4096_voxels_per_axis_are_there_at_once(made: list[boxes.Spans]) -> None:
    """Nothing is generated but the slice that is looked at."""
    array = lazy_volume(PHASES, (4096,) * 3, seed=3)
    assert array.shape == (4096,) * 3
    assert not made
    view = np.asarray(array[2048, 1024:1056, 1024:1056])
    assert view.shape == (32, 32)
    assert len(made) == 4
    part = generate(PHASES, (8, 32, 32), 3).values
    first = np.asarray(array[5, :32, :32])
    assert (first != part[5]).mean() < 1e-3


def test_dask_and_generate_agree(whole: NDArray[Any]) -> None:
    array = lazy_volume(PHASES, SIZE, seed=3)
    assert (array.compute() != whole).mean() < 1e-4
    # Arrays of the same material have the same name, others another one.
    names = {lazy_volume(PHASES, SIZE, seed=seed).name for seed in (3, 3, 4)}
    assert len(names) == 2


def test_several_threads_make_each_piece_once(made: list[boxes.Spans]) -> None:
    lazy = EndlessVolume(VolumePlan(PHASES, (64, 32, 32), 3))
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda z: lazy[z], [0, 1, 2, 3] * 4))
    assert len(made) == len(set(made)) == 4
    for z, plane in enumerate(planes):
        np.testing.assert_array_equal(plane, planes[z % 4])


def test_of_a_run_folder(toy_run: Path) -> None:
    array = lazy_volume(toy_run, (16, 16, 16), seed=1, device="cpu")
    assert set(np.unique(np.asarray(array[3]))) <= {7, 207}


def test_bad_keys() -> None:
    lazy = EndlessVolume(VolumePlan(PHASES, SIZE, 3))
    with pytest.raises(IndexError, match="below 30, got 30"):
        lazy[30]
    with pytest.raises(IndexError, match="at most 3"):
        lazy[0, 0, 0, 0]
    with pytest.raises(TypeError, match="integer"):
        lazy[0.5]


def test_edits_are_refused() -> None:
    plan = VolumePlan(PHASES, SIZE, 3, edits=[Edit({"latent": np.ones(4)})])
    with pytest.raises(ValueError, match="got one with edits"):
        EndlessVolume(plan)
