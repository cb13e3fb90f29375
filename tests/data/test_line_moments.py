"""Drift from line to line taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.image_files import SourceImage
from napari_slicegan.data.line_moments import levelled, line_moments
from napari_slicegan.data.micrograph import Micrograph
from tests.toys import smooth_field


def curtained(seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Two phases 80 gray values apart, and columns that are brighter or darker."""
    rng = np.random.default_rng(seed)
    phases = smooth_field(256, 256, seed=seed) > 0
    clean = 100 + 80 * phases + rng.normal(0, 5, phases.shape)
    return phases, clean + rng.normal(0, 40, (1, 256))


def misjudged(gray: NDArray[Any], phases: NDArray[np.bool_], **settings: Any) -> float:
    """Share of the pixels in the wrong phase after Otsu's threshold."""
    wanted = MicrographSettings(segmentation="otsu", **settings)
    found = Micrograph.of(SourceImage(gray, "lines"), wanted).values
    return float((found != phases).mean())


def test_phases_are_found_behind_curtains() -> None:
    """Curtains of half the contrast hide every seventh pixel or more."""
    phases, gray = curtained()
    assert misjudged(gray, phases) > 0.14
    assert misjudged(gray, phases, destripe="columns") < 0.02
    # Rows have nothing to do with it.
    assert misjudged(gray, phases, destripe="rows") > 0.14


def test_contrast_that_changes_from_line_to_line_is_levelled() -> None:
    phases, _ = curtained()
    gain = np.random.default_rng(1).uniform(0.3, 1.5, (256, 1))
    gray = gain * (50 + 100 * phases)
    assert misjudged(gray, phases) > 0.14
    assert misjudged(gray, phases, destripe="rows") < 0.02


def test_all_lines_become_alike_and_the_whole_keeps_its_level() -> None:
    _, gray = curtained()
    made = levelled(gray, "columns")
    mean, std = line_moments(made[np.newaxis], "columns")
    np.testing.assert_allclose(mean, gray.mean(), rtol=1e-9)
    within = np.sqrt(gray.var(axis=0).mean())
    np.testing.assert_allclose(std, within, rtol=1e-9)
    turned = levelled(gray.T.copy(), "rows").T
    np.testing.assert_allclose(turned, made, rtol=1e-9)


def test_each_plane_of_a_stack_has_curtains_of_its_own() -> None:
    stack = np.stack([curtained(seed)[1] for seed in range(3)])
    made = levelled(stack, "columns")
    for plane, alone in zip(made, stack, strict=True):
        np.testing.assert_array_equal(plane, levelled(alone, "columns"))


def test_types_are_kept_and_constant_lines_are_no_fault() -> None:
    gray = np.zeros((4, 300), np.uint8)
    gray[1] = 255
    gray[2] = np.arange(300) % 256
    gray[3] = gray[2] // 2
    made = levelled(gray, "rows")
    assert made.dtype == np.uint8
    # Lines that never change get the mean of the lines' means.
    expected = round(float(gray.mean(axis=1).mean()))
    assert set(made[:2].ravel().tolist()) == {expected}


def test_colours_and_phases_are_refused() -> None:
    settings = MicrographSettings(destripe="rows")
    for shape in [(8, 8, 3), (8, 8)]:
        values = np.random.default_rng(0).integers(0, 2, shape).astype(np.uint8)
        with pytest.raises(
            ValueError, match=r"expected an image of the kind 'grayscale'"
        ):
            Micrograph.of(SourceImage(values, "lines"), settings)
