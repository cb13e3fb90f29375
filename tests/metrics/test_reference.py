from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.reference import Sample, reference_of
from napari_slicegan.volumes.volume import Volume

RNG = np.random.default_rng(0)
VOLUME = Volume(RNG.integers(0, 2, (40, 44, 48)), "phases", 10.0)


def labels(*shape: int) -> Any:
    return RNG.integers(0, 2, shape).astype(np.uint8)


def shapes(group: tuple[Sample, ...]) -> list[tuple[int, ...]]:
    return [sample.values.shape for sample in group]


def times_used(pieces: tuple[Sample, ...], whole: Any) -> Any:
    """How many pieces cover each element: they are marked in the original."""
    used = np.zeros(whole.shape, dtype=int)
    for piece in pieces:
        before = piece.values.copy()
        piece.values[...] = 99
        used += whole == 99
        piece.values[...] = before
    return used


def test_an_image_is_cut_into_disjoint_quarters() -> None:
    image = labels(64, 80)
    reference = reference_of([image], VOLUME, 32)
    (pieces,) = reference.pieces
    assert shapes(pieces) == [(32, 40)] * 4
    assert (times_used(pieces, image) == 1).all()
    assert reference.noise == "disjoint crops: 4 of 32 x 40"


def test_crops_are_never_shorter_than_the_curves() -> None:
    rows: list[tuple[tuple[int, int], list[tuple[int, int]], str]] = [
        ((65, 130), [(32, 65)] * 4, "disjoint crops: 4 of 32 x 65"),
        ((63, 80), [(63, 40)] * 2, "disjoint crops: 2 of 63 x 40"),
        ((40, 50), [(40, 50)], "none (the image is too small to be cut into crops)"),
    ]
    for shape, crops, noise in rows:
        reference = reference_of([labels(*shape)], VOLUME, 32)
        assert shapes(reference.pieces[0]) == crops
        assert reference.noise == noise


def test_several_images_make_one_group() -> None:
    reference = reference_of([labels(64, 64), labels(80, 70)], VOLUME, 20)
    assert len(reference.samples) == 2
    assert shapes(reference.pieces[0]) == [(32, 32)] * 4 + [(40, 35)] * 4
    assert reference.description == "2-D images: 1 of 64 x 64, 1 of 80 x 70"


def test_curves_end_at_the_shortest_edge() -> None:
    assert reference_of([labels(64, 80)], VOLUME, 100).max_distance == 40
    assert reference_of([labels(25, 80)], VOLUME, 32).max_distance == 25
    assert reference_of([labels(64, 80)], VOLUME, 12).max_distance == 12


def test_a_truth_gives_slices_and_blocks() -> None:
    truth = Volume(labels(96, 90, 100), "phases", 10.0)
    reference = reference_of(truth, VOLUME, 32)
    # 96 // 16, 90 // 16 and 100 // 16 slices: half the distance apart
    assert [len(group) for group in reference.pieces] == [6, 5, 6]
    assert [group[0].values.shape for group in reference.pieces] == [
        (90, 100),
        (96, 100),
        (96, 90),
    ]
    # as large as the volume, which fits 2 x 2 x 2 times
    assert shapes(reference.blocks) == [(40, 44, 48)] * 8
    assert times_used(reference.blocks, truth.values).max() == 1


def test_a_truth_no_larger_than_the_volume_gives_octants() -> None:
    truth = Volume(labels(50, 40, 48), "phases")
    reference = reference_of(truth, VOLUME, 32)
    assert shapes(reference.blocks) == [(20, 20, 24)] * 8


def test_images_of_a_run() -> None:
    views = [Micrograph.from_array(labels(64, 64), "phases", 10.0) for _ in range(3)]
    isotropic = reference_of(views[0], VOLUME, 32)
    assert isotropic.every_direction
    assert isotropic.samples[0].axes["z"] == (0, 1)
    anisotropic = reference_of(TrainingImages.anisotropic(*views), VOLUME, 32)
    assert not anisotropic.every_direction
    assert [dict(sample.axes) for sample in anisotropic.samples] == [
        {"y": (0,), "x": (1,)},
        {"z": (0,), "x": (1,)},
        {"z": (0,), "y": (1,)},
    ]


def test_a_volume_micrograph_is_the_truth() -> None:
    micrograph = Micrograph.from_array(labels(50, 60, 70), "phases", 10.0)
    for source in (micrograph, TrainingImages.from_volume(micrograph)):
        reference = reference_of(source, VOLUME, 32)
        assert shapes(reference.samples) == [(50, 60, 70)]
        assert reference.description.startswith("3-D truth")


def test_different_volumes_by_direction_give_planes() -> None:
    volumes = [Micrograph.from_array(labels(40, 50, 60), "phases") for _ in range(3)]
    reference = reference_of(TrainingImages.anisotropic(*volumes), VOLUME, 32)
    assert shapes(reference.samples) == (
        [(50, 60)] * 16 + [(40, 60)] * 16 + [(40, 50)] * 16
    )


BAD: list[tuple[Any, str]] = [
    (
        Micrograph.from_array(RNG.random((64, 64))),
        "one kind; got 'grayscale' and 'phases'",
    ),
    (
        Micrograph.from_array(labels(64, 64), "phases", 11.0),
        "same voxel size; got 11 nm and 10 nm",
    ),
    (Volume(labels(9, 9, 9), "phases", 9.0), "got 9 nm and 10"),
    (
        {"z": [labels(64, 64)], "y": [labels(64, 64)]},
        r"each of z, y and x; got \['z', 'y'\]",
    ),
    ([], "got none"),
    (labels(64, 64), r"\[rows, columns\]; got the shape \(64,\)"),
    ([labels(64, 64, 3)], r"got the shape \(64, 64, 3\)"),
]


def test_references_that_do_not_fit() -> None:
    for source, message in BAD:
        with pytest.raises(ValueError, match=message):
            reference_of(source, VOLUME, 32)
    # Voxel sizes may differ by 1 %.
    near = Micrograph.from_array(labels(64, 64), "phases", 10.05)
    assert reference_of(near, VOLUME, 32).samples
