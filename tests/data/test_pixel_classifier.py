"""Phases from brush strokes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slicegan.data import pixel_classifier
from napari_slicegan.data.pixel_classifier import PixelClassifier

pytest.importorskip("sklearn", reason="needs the extra segmentation")


@pytest.fixture(scope="module")
def textures() -> tuple[NDArray[Any], NDArray[Any]]:
    """Two phases of equal mean gray; one is fine-grained, the other smooth."""
    random = np.random.default_rng(0)
    truth = gaussian_filter(random.normal(size=(180, 220)), 10) > 0
    fine, smooth = random.normal(size=truth.shape), random.normal(size=truth.shape)
    smooth = gaussian_filter(smooth, 3)
    smooth /= smooth.std()
    gray = np.clip(128 + 30 * np.where(truth, fine, smooth), 0, 255)
    return gray.astype(np.uint8), truth


@pytest.fixture(scope="module")
def strokes(textures: tuple[NDArray[Any], NDArray[Any]]) -> NDArray[Any]:
    """Lines of three pixels, drawn with the labels 2 and 5: 5 % of the image."""
    drawn = np.zeros(textures[1].shape, int)
    for place in (np.s_[60:63], np.s_[130:133], np.s_[:, 110:113]):
        drawn[place] = np.where(textures[1][place], 5, 2)
    return drawn


@pytest.fixture(scope="module")
def classifier(
    textures: tuple[NDArray[Any], NDArray[Any]], strokes: NDArray[Any]
) -> PixelClassifier:
    return PixelClassifier.fit(textures[0], strokes)


def test_phases_without_contrast_are_separated(
    classifier: PixelClassifier, textures: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    """No threshold can: the histograms overlap. Errors lie along the borders."""
    gray, truth = textures
    assert (classifier.predict(gray) == truth).mean() > 0.9
    best = max(((gray > t) == truth).mean() for t in range(256))
    assert best < 0.7


def test_a_stored_classifier_gives_the_same_phases(
    classifier: PixelClassifier,
    textures: tuple[NDArray[Any], NDArray[Any]],
    tmp_path: Path,
) -> None:
    classifier.save(str(tmp_path / "classifier.npz"))
    loaded = PixelClassifier.load(tmp_path / "classifier.npz")
    assert loaded.n_phases == 2
    expected = classifier.predict(textures[0])
    np.testing.assert_array_equal(loaded.predict(textures[0]), expected)


def test_bands_and_planes_make_no_difference(
    classifier: PixelClassifier,
    textures: tuple[NDArray[Any], NDArray[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gray = textures[0]
    whole = classifier.predict(gray)
    monkeypatch.setattr(pixel_classifier, "PREDICTED_AT_ONCE", 50 * gray.shape[1])
    np.testing.assert_array_equal(classifier.predict(gray), whole)
    planes = classifier.predict(np.stack([gray, gray[::-1]]))
    np.testing.assert_array_equal(planes[0], whole)


STROKES: list[tuple[NDArray[Any], str]] = [
    (np.ones((180, 220), int), r"expected strokes in 2 to 16 phases, got 1"),
    (np.zeros((180, 220), int), r"got 0"),
    (np.ones((18, 22), int), r"strokes of the image's shape .*180, 220"),
]


def test_strokes_that_teach_nothing(
    textures: tuple[NDArray[Any], NDArray[Any]], subtests: pytest.Subtests
) -> None:
    for drawn, words in STROKES:
        with subtests.test(words):
            with pytest.raises(ValueError, match=words):
                PixelClassifier.fit(textures[0], drawn)


def test_images_of_another_type_are_refused(classifier: PixelClassifier) -> None:
    """Gray values of 16 bits mean something else."""
    with pytest.raises(ValueError, match=r"of type uint8, .* got uint16; convert"):
        classifier.predict(np.zeros((40, 40), np.uint16))


def test_files_that_are_no_classifier(
    classifier: PixelClassifier,
    tmp_path_factory: pytest.TempPathFactory,
    subtests: pytest.Subtests,
) -> None:
    for damage in ["missing", "text", "cut", "later", "shapes", "nan"]:
        with subtests.test(damage):
            folder = tmp_path_factory.mktemp("case")
            path = folder / "classifier.npz"
            facts: dict[str, Any] = {
                "format": np.array(2 if damage == "later" else 1),
                "features": np.full_like(classifier.features, np.nan)
                if damage == "nan"
                else classifier.features,
                "phases": classifier.phases[:3]
                if damage == "shapes"
                else classifier.phases,
                "dtype": np.array("uint8"),
            }
            if damage != "missing":
                np.savez(path, **facts)
            if damage == "text":
                path.write_text("no archive")
            if damage == "cut":
                path.write_bytes(path.read_bytes()[:-2000])
            with pytest.raises(ValueError, match=r"expected .*got .*;"):
                PixelClassifier.load(path)
