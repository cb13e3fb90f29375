"""Planes and their colours in the report."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.reference import reference_of
from napari_slicegan.report.figure import Colouring, pictures_of, scale_bar
from napari_slicegan.volumes.volume import Volume
from tests.reports import EDGE, case, phases


def test_planes_of_the_same_direction_have_the_same_orientation() -> None:
    volume = Volume(phases(20, 24, 28, seed=1), "phases")
    pictures = pictures_of(reference_of(volume, volume, 4).samples, volume)
    titles = [picture.title for picture in pictures]
    assert titles[:2] == ["Real, along z", "Generated, along z"]
    # Rows and columns are Y and X, Z and X, Z and Y.
    shapes = [picture.values.shape for picture in pictures]
    assert shapes == [(24, 28)] * 2 + [(20, 28)] * 2 + [(20, 24)] * 2
    for real, generated in zip(pictures[::2], pictures[1::2], strict=True):
        assert np.array_equal(real.values, generated.values)


def test_an_isotropic_image_stands_once_and_is_cropped_to_the_same_scale() -> None:
    _, source, volume = case("isotropic")
    pictures = pictures_of(reference_of(source, volume, 4).samples, volume)
    sources = [(picture.source, picture.axis) for picture in pictures]
    assert sources == [("Real", None), *(("Generated", axis) for axis in "zyx")]
    assert {picture.values.shape for picture in pictures} == {(EDGE, EDGE)}
    assert isinstance(source, list)
    # (100 - 40) / 2 = 30 rows and (110 - 40) / 2 = 35 columns are cut off before.
    assert np.array_equal(pictures[0].values, source[0][30:70, 35:75])


def test_a_phase_has_its_colour_whatever_else_is_there() -> None:
    colouring = Colouring((0, 10, 20))
    all_three = colouring.colours(np.array([[0, 10, 20]]))
    alone = colouring.colours(np.array([[20]], dtype=np.uint8))
    assert np.array_equal(alone[0, 0], all_three[0, 2])


@pytest.mark.parametrize("count", [2, 16])
def test_phases_are_told_apart_by_lightness_alone(count: int) -> None:
    labels = np.arange(count)
    colours = Colouring(tuple(range(count))).colours(labels[np.newaxis])[0]
    # Rec. 709 weights of the relative luminance.
    lightness = colours @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0.02).all()


@pytest.mark.parametrize(
    ("n_columns", "voxel_size_nm", "length", "text"),
    [
        # At most 0.3 of the width: 28.8 voxels; 144 um; 14.4 nm; 480 um of 1.6 mm.
        (96, None, 20, "20 voxels"),
        (96, 5000.0, 20, "100 \N{GREEK SMALL LETTER MU}m"),
        (100, 7e4, 200 / 7, "2 mm"),
    ],
)
def test_scale_bars_have_round_lengths(
    n_columns: int, voxel_size_nm: float | None, length: float, text: str
) -> None:
    found, words = scale_bar(n_columns, voxel_size_nm)
    assert found == pytest.approx(length)
    assert words == text
