"""Where edits act: boxes, profiles, masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.generation.regions import (
    Box,
    Mask,
    Profile,
    ramp,
    region_from_state,
)
from tests.refusals import Refusal, assert_all_refused

if TYPE_CHECKING:
    import pytest

Z, Y, X = (np.arange(-2.0, 8), np.arange(0, 6.0), np.array([0.0, 2.5, 5.0]))


def test_box_holds_its_voxels_and_no_other() -> None:
    """Voxels 1 and 2 along z, 2 to 4 along y, 0 to 3 along x; 2.5 is between two."""
    weights = Box((1, 2, 0), (3, 5, 4)).weights(Z, Y, X)
    assert weights.shape == (10, 6, 3)
    inside = np.argwhere(weights == 1)
    assert {tuple(Z[inside[:, 0]])} == {tuple(np.repeat([1.0, 2.0], 6))}
    assert set(Y[inside[:, 1]]) == {2, 3, 4}
    assert set(X[inside[:, 2]]) == {0, 2.5}
    assert weights.sum() == len(inside)


def test_margin_fades_in() -> None:
    """From the face at -1/2: 1/4, 3/4 of two voxels, then all."""
    line = Box((0, 0, 0), (9, 9, 9), margin=2).weights(
        np.arange(9.0), np.array([4.0]), np.array([4.0])
    )[:, 0, 0]
    assert line.tolist() == [0.25, 0.75, 1, 1, 1, 1, 1, 0.75, 0.25]


def test_ramp_rises_along_its_axis_only() -> None:
    weights = ramp("y", 6, -1, 1).weights(Z, Y, X)
    np.testing.assert_allclose(weights.ravel(), np.clip(-1 + 2 * Y / 5, -1, 1))
    assert weights.shape == (1, len(Y), 1)


def test_profile_is_linear_between_its_positions_and_constant_outside() -> None:
    profile = Profile("z", (0, 2, 4), (1, 5, 0))
    weights = profile.weights(np.array([-9, 1, 2, 3, 9.0]), Y, X)
    assert weights.ravel().tolist() == [1, 3, 5, 2.5, 0]


def test_mask_is_read_at_the_nearest_voxel() -> None:
    values = np.zeros((8, 6, 6))
    values[3:] = 0.5
    weights = Mask(values).weights(np.array([-5, 2.4, 2.6, 99]), Y, X)
    assert weights[:, 0, 0].tolist() == [0, 0, 0.5, 0.5]


REGIONS: list[Box | Profile] = [
    Box((0, 1, 2), (3, 4, 5), 1.5),
    Profile("y", (0.0, 9.5), (1.0, -1.0)),
]


def test_regions_come_back_from_their_state(subtests: pytest.Subtests) -> None:
    for region in REGIONS:
        with subtests.test(region=region):
            state = region.state()
            assert json.loads(json.dumps(state)) == state
            assert region_from_state(state) == region


REFUSALS: list[Refusal] = [
    ("box", lambda _: Box((1, 1, 1), (2, 1, 2)), "end lies behind its start"),
    (
        "outside",
        lambda _: Box((0, 0, 9), (8, 8, 17)).check_within((8, 8, 16)),
        "the volume of 8 x 8 x 16 voxels .*, got one from 0 x 0 x 9 to 8 x 8 x 17;",
    ),
    ("positions", lambda _: Profile("z", (0, 0), (1, 1)), "rising positions"),
    ("factors", lambda _: Profile("z", (0, 1), (1,)), "2 positions and 1 factors"),
    ("factor", lambda _: ramp("z", 8, 0, 1e300), "to 1000, got 1e"),
    ("no factor", lambda _: Mask(np.full((3, 3, 3), np.nan)), "to 1000, got nan"),
    ("mask", lambda _: Mask(np.zeros((3, 3))), "mask"),
    ("kept mask", lambda _: Mask(np.zeros((3, 3, 3))).state(), "cannot be kept"),
    ("state", lambda _: region_from_state({"name": "ball"}), "ball"),
    ("part", lambda _: region_from_state({"name": "box"}), "complete region"),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)
