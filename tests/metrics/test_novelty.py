"""Memorisation and diversity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.metrics.novelty import (
    Channels,
    Memorisation,
    Place,
    cut,
    diversity,
    memorisation,
    random_places,
)
from tests.reports import colour, gray, phases

if TYPE_CHECKING:
    from napari_slicegan.config import Kind


MAKERS: dict[Kind, Any] = {
    "phases": lambda *shape, seed: phases(*shape, seed=seed, count=3),
    "grayscale": gray,
    "colour": colour,
}


def measured(
    kind: Kind, images: list[NDArray[Any]], slices: list[NDArray[Any]], **more: Any
) -> Memorisation:
    labels = tuple(np.unique(images[0]).tolist()) if kind == "phases" else ()
    channels = Channels.of(kind, labels, images)
    found = memorisation(images, slices, channels, **{"symmetric": True, **more})
    assert found is not None
    return found


def test_copies_are_found_and_others_are_not() -> None:
    for kind, make in MAKERS.items():
        image = make(100, 110, seed=1)
        fresh = measured(kind, [image], [make(100, 100, seed=2)])
        assert fresh.copies == 0
        assert fresh.probability > 0.01
        copied = measured(kind, [image], [np.rot90(image[:60, :60])])
        assert copied.copies == 32
        assert copied.probability < 1e-3


def test_turned_copies_count_in_isotropic_materials_only() -> None:
    image = phases(100, 100, seed=1)
    turned = [np.rot90(image)]
    assert measured("phases", [image], turned, symmetric=True).copies == 32
    assert measured("phases", [image], turned, symmetric=False).copies == 0


@pytest.mark.parametrize("kind", ["phases", "colour"])
def test_against_every_position_in_turn(kind: Kind) -> None:
    make = MAKERS[kind]
    images, plane = [make(41, 45, seed=1), make(50, 43, seed=2)], make(40, 40, seed=3)
    found = measured(kind, images, [plane], symmetric=False, edge=16)
    # the same crops by the same seed, after those of the images
    rng = np.random.default_rng(0)
    random_places(images, 16, 32, rng)
    places = random_places([plane], 16, 32, rng)
    real = np.concatenate([image.ravel() for image in images])

    def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
        if kind == "phases":
            return float((one != other).mean())
        difference = (one.astype(float) - other) / real.std()
        return float(np.sqrt((difference**2).mean()))

    for place, distance in list(zip(places, found.nearest, strict=True))[:3]:
        crop = plane[place.row : place.row + 16, place.column : place.column + 16]
        brute = min(
            apart(crop, image[row : row + 16, column : column + 16])
            for image in images
            for row in range(image.shape[0] - 15)
            for column in range(image.shape[1] - 15)
        )
        assert distance == pytest.approx(brute, abs=2e-3)


def test_real_crops_do_not_find_themselves() -> None:
    image = phases(120, 120, seed=5)
    assert min(measured("phases", [image], [image]).real) > 0.05


def test_uniform_images_are_no_copies() -> None:
    image = phases(100, 100, seed=1)
    image[:60] = 0  # most crops are alike in the real material too
    assert measured("phases", [image], [np.zeros((50, 50), int)]).copies == 0


def test_images_smaller_than_crops_give_no_result() -> None:
    image = phases(20, 20, seed=1)
    channels = Channels.of("phases", (0, 10), [image])
    assert memorisation([image], [image], channels, True) is None


def test_places_are_even_over_all_images() -> None:
    images = [np.zeros((20, 20)), np.zeros((20, 40))]
    places = random_places(images, 11, 4000, np.random.default_rng(0))
    # 10 x 10 positions in the first image, 10 x 30 in the second
    assert np.mean([place.image for place in places]) == pytest.approx(0.75, abs=0.03)
    columns = [place.column for place in places if place.image]
    assert (min(columns), max(columns)) == (0, 29)
    assert cut(np.zeros((2, 20, 40)), Place(1, 9, 29), 11).shape == (2, 11, 11)


def test_independent_volumes_agree_by_chance_only() -> None:
    volumes = [phases(40, 40, 40, seed=seed, count=3) for seed in range(4)]
    found = diversity(volumes, (0, 10, 20))
    assert abs(found.likeness) < 3 * found.chance
    assert found.chance < 0.05


def test_equal_volumes_are_alike() -> None:
    volume = phases(40, 40, 40, seed=0)
    found = diversity([volume, volume, volume], (0, 10))
    assert found.likeness == pytest.approx(1)
    assert found.likeness > 10 * found.chance
    assert diversity([gray(20, 20, 20, seed=1)] * 2).likeness == pytest.approx(1)


def test_likeness_is_kappa() -> None:
    """Voxels taken from one common volume with probability q: kappa q^2."""
    rng = np.random.default_rng(0)
    common = rng.random((50, 50, 50)) < 0.3
    volumes = [
        np.where(rng.random(common.shape) < 0.4, common, rng.random(common.shape) < 0.3)
        for _ in range(3)
    ]
    assert diversity(volumes, (0, 1)).likeness == pytest.approx(0.16, abs=0.01)


def test_gray_values_by_correlation() -> None:
    volumes = [gray(30, 30, 30, seed=seed).astype(float) for seed in range(2)]
    mixed = [volumes[0], 0.6 * volumes[0] + 0.8 * volumes[1]]
    # independent fields of equal variance: 0.6 / sqrt(0.6^2 + 0.8^2)
    assert diversity(mixed).likeness == pytest.approx(0.6, abs=0.05)


def test_one_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        diversity([np.zeros((4, 4, 4))])
