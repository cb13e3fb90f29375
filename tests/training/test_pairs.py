"""Pairs of parallel sections at a known distance, as critic input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_slicegan.config import AXES, RunConfig
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import ImageFacts, Micrograph
from napari_slicegan.data.patch_sampler import PairSampler, Symmetries
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.models import VolumeGenerator
from napari_slicegan.training.adversarial_step import AdversarialStep, Generated
from napari_slicegan.training.estimates import step_cost
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.slices import planes_along, view_of
from napari_slicegan.training.trainer import Trainer
from tests.refusals import Refusal, assert_all_refused
from tests.toys import TOY_PATCH, phases_image, small_config, tensors, train

MakeAdversarialStep = Callable[..., AdversarialStep]
DISTANCE = 3


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sections(n: int = 2) -> list[Micrograph]:
    """Sections of one toy material, one after the other."""
    return [phases_image(40, 48, seed=seed) for seed in range(n)]


def gray_pair() -> list[Micrograph]:
    """Two sections whose gray values differ by 100 at each place."""
    values = np.random.default_rng(0).integers(0, 100, (24, 30), dtype=np.uint8)
    return [Micrograph.from_array(values + n, "grayscale") for n in (0, 100)]


@pytest.mark.parametrize("symmetries", ["none", "flips", "rotations"])
def test_crops_of_a_pair_are_of_the_same_place(symmetries: Symmetries) -> None:
    transform = ScaleMinMax(0, 255, 1, "uint8")
    source = PairSampler(gray_pair(), transform, 8, symmetries)
    crops = source.sample(200, rng())
    assert crops.shape == (200, 2, 8, 8)
    difference = (crops[:, 1] - crops[:, 0]) * 255
    steps = difference.mean(dim=(1, 2)).round()
    torch.testing.assert_close(difference, steps[:, None, None].expand(-1, 8, 8))
    # In either order where they may be turned: 100 of 200, +- 7 (binomial).
    expected = {100.0} if symmetries == "none" else {-100.0, 100.0}
    assert set(steps.tolist()) == expected
    if symmetries != "none":
        assert abs(int((steps > 0).sum()) - 100) < 5 * 7


def cube(size: int = 8) -> Tensor:
    """Three volumes, every voxel its own number."""
    return torch.arange(3.0 * size**3).view(3, 1, size, size, size)


@pytest.mark.parametrize("n_planes", [1, 4, 5, None])
def test_generated_planes_are_pairs_at_the_distance(n_planes: int | None) -> None:
    """Along each axis planes p and p + 3 of the same volume, no pair twice.

    There are five pairs in eight planes; four pairs have as many planes as the volume.
    """
    view = view_of(3, isotropic=False, distances=(DISTANCE,) * 3)
    batches = view.images(cube(), n_planes, rng())
    n = n_planes or 5
    for axis, batch in zip(AXES, batches, strict=True):
        assert batch.shape == (3 * n, 2, 8, 8)
        every = planes_along(cube(), axis, None)[:, 0]
        for number, pair in enumerate(batch):
            first, second = (
                next(i for i, plane in enumerate(every) if torch.equal(plane, image))
                for image in pair
            )
            assert second - first == DISTANCE
            assert first // 8 == second // 8 == number // n
        assert len({tuple(pair.flatten().tolist()) for pair in batch}) == 3 * n


def test_single_planes_computed_alone_are_those_of_whole_volumes(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Pairs of the last layer's planes, and pairs cut from the same volumes."""
    gan = make_adversarial_step(pair_distance=DISTANCE, straight_through=False)
    assert isinstance(gan.generator, VolumeGenerator)
    latents = gan.latents(2)
    source, again = rng(), gan.streams["planes"]
    again.set_state(source.get_state())
    made = Generated(latents, gan.generator.features(latents))
    ((_, alone),) = gan._fakes(made, 3)  # noqa: SLF001
    (whole,) = gan.view.images(gan.generator(latents), 3, source)
    assert alone.shape == (2 * 3 * 3, 4, TOY_PATCH, TOY_PATCH)
    torch.testing.assert_close(alone, whole)


RUNS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "isotropic": ({}, [4]),
    "one axis": ({"pair_axis": "y"}, [2, 4, 2]),
    "all planes": ({"critic_slices": None, "generator_slices": None}, [4]),
    "patterns": ({"straight_through": True, "pattern_weight": 0.1}, [4]),
    "per axis": (
        {"objective": "wgan-gp", "critic_heads": False, "update_per_axis": True},
        [4],
    ),
}


@pytest.mark.parametrize("kind", RUNS)
def test_runs_are_resumed_bit_by_bit(kind: str, tmp_path: Path) -> None:
    changes, channels = RUNS[kind]
    images = TrainingImages.isotropic(*sections(4))
    if kind == "one axis":
        z, *y, x = sections(4)
        images = TrainingImages.anisotropic(z, y, x)
    config = small_config().changed(pair_distance=DISTANCE, steps=4, lr_decay_start=1)
    config = config.changed(**changes)
    whole = Trainer.start(config, images, tmp_path / "whole")
    assert whole.gan.critic_channels == channels
    train(whole)
    train(Trainer.start(config.changed(steps=2), images, tmp_path / "parts"))
    resumed = Trainer.resume(tmp_path / "parts", steps=4)
    assert resumed.config.slices.pair_distance == DISTANCE
    train(resumed)
    states = [
        tensors(RunFolder.open(tmp_path / name).load_checkpoint())
        for name in ("whole", "parts")
    ]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        if not name.endswith(("/elapsed_s", "/best_at_s")):
            assert torch.equal(value, states[1][name]), name


def test_pairs_cost_little() -> None:
    """A last layer for twice the planes, and the first layer of the critic."""
    single, pairs = (
        step_cost(preset("slicegan-fast").changed(pair_distance=n), 2, "phases", True)
        for n in (None, DISTANCE)
    )
    assert single.operations < pairs.operations < 1.1 * single.operations
    assert single.memory_bytes < pairs.memory_bytes < 1.1 * single.memory_bytes


def start(
    folder: Path, images: list[Micrograph] | TrainingImages, **changes: Any
) -> None:
    if isinstance(images, list):
        images = TrainingImages.isotropic(*images)
    config: RunConfig = small_config().changed(**changes)
    Trainer.start(config, images, folder / "run")


def cropped(first_row: int) -> Micrograph:
    """A section of 40 x 48 pixels from this row of its file."""
    facts = ImageFacts(crop=(first_row, first_row + 40, 0, 48))
    return replace(phases_image(40, 48), facts=facts)


VOLUME = Micrograph.from_array(np.eye(24, dtype=bool)[None].repeat(24, 0), name="cube")
REFUSALS: list[Refusal] = [
    (
        "one section",
        lambda f: start(f, sections(1), pair_distance=3),
        "even number of images, got only toy",
    ),
    (
        "three sections",
        lambda f: start(f, sections(3), pair_distance=3),
        "even number of images, got 3 images",
    ),
    (
        "sizes",
        lambda f: start(
            f, [phases_image(40, 48), phases_image(40, 47)], pair_distance=3
        ),
        r"got 40 x 48 pixels \(toy\) and 40 x 47 \(toy\)",
    ),
    (
        "crops found in each section",
        lambda f: start(f, [cropped(40), cropped(41)], pair_distance=3),
        r"got first rows and columns \(40, 0\) \(toy\) and \(41, 0\) \(toy\)",
    ),
    (
        "volumes",
        lambda f: start(f, [VOLUME, VOLUME], pair_distance=3),
        "cube: .* got a volume",
    ),
    (
        "as far as the training size",
        lambda f: start(f, sections(), pair_distance=TOY_PATCH),
        "smaller than the training volumes of 16 voxels, got 16",
    ),
    (
        "axis of an isotropic material",
        lambda f: start(f, sections(), pair_distance=3, pair_axis="y"),
        "got y for an isotropic material",
    ),
    (
        "condition",
        lambda f: start(f, sections(), pair_distance=3, condition="phase_fraction"),
        "got 'Pair distance' 3",
    ),
    (
        "stretch",
        lambda f: start(f, sections(), pair_distance=3, voxel_stretch=(2, 1, 1)),
        r"got 'Voxel stretch' \(2, 1, 1\)",
    ),
    (
        "axis without a distance",
        lambda f: start(f, sections(), pair_axis="y"),
        "applies to pairs of sections, got 'Pair distance'",
    ),
    (
        "distance of images",
        lambda f: start(f, sections(), architecture="dcgan-28", pair_distance=3),
        "applies to generators of volumes, got 'Architecture'",
    ),
]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)


def test_distance_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'Pair distance'.*than or equal to 1"):
        small_config().changed(pair_distance=0)
