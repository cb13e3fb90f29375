"""What a run is trained on, by what its architecture makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy

from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics import image_checks
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training import tasks
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.tasks import VolumeTask, training_data
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.refusals import Refusal, assert_all_refused
from tests.toys import phases_image, small_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = small_image_config()


def stack(n: int = 6) -> TrainingImages:
    """Gray planes of a volume, [n, 28, 28]."""
    return TrainingImages.isotropic(Micrograph.from_array(ellipses(n), "grayscale"))


def written(folder: Path, images: NDArray[np.uint8]) -> Path:
    for number, image in enumerate(images):
        np.save(folder / f"{number}.npy", image)
    return folder


def test_volumes_are_learned_from_micrographs(toy_images: TrainingImages) -> None:
    assert training_data(preset("slicegan-fast"), toy_images) is toy_images


def test_noise_in_each_voxel_where_neighbours_are_independent(tmp_path: Path) -> None:
    """Of phases, and always of gray values. The run keeps the choice.

    A setting of the user stands.
    """
    rng = np.random.default_rng(0)
    speckled = np.where(rng.random((48, 48)) < 0.4, 7, 20).astype(np.uint8)
    speckled[:20, :20] = 207
    smooth = phases_image(48, 48).values
    toys = {"speckle": speckled, "smooth": smooth, "gray": smooth}
    config = small_config().changed(
        architecture="slicegan-aa", latent_size=5, noise=True, voxel_noise="auto"
    )
    for name, given, chosen in [
        ("speckle", "auto", "on"),
        ("smooth", "auto", "off"),
        ("speckle", "off", "off"),
        ("smooth", "on", "on"),
        ("gray", "auto", "on"),
    ]:
        image = Micrograph.from_array(
            toys[name], "grayscale" if name == "gray" else "phases"
        )
        settings = config.changed(voxel_noise=given)
        folder = tmp_path / f"{name} {given}"
        run = Trainer.start(settings, TrainingImages.isotropic(image), folder)
        assert run.config.architecture.voxel_noise == chosen, (name, given)
        assert RunFolder.open(folder).config() == run.config
        assert run.gan.generator.spec.voxel_noise == (chosen == "on")


def test_crops_of_views_are_mirrored_where_that_makes_no_difference(
    tmp_path: Path,
) -> None:
    """Those of an isotropic material are turned, too; a setting of the user stands."""
    rng = np.random.default_rng(0)
    long = scipy.ndimage.gaussian_filter(rng.normal(size=(96, 96)), (2, 9), mode="wrap")
    along = (long > 0).astype(np.uint8)
    tilted = (scipy.ndimage.rotate(long, 20, reshape=False, mode="wrap") > 0).astype(
        np.uint8
    )
    config = small_config().changed(augmentation="auto")
    for name, views, given, chosen in [
        ("along", (along, along, along), "auto", "flips"),
        ("tilted", (along, tilted, along), "auto", "none"),
        ("tilted, mirrored", (along, tilted, along), "flips", "flips"),
        ("isotropic", (tilted,), "auto", "rotations"),
    ]:
        images = [Micrograph.from_array(view) for view in views]
        of_run = (
            TrainingImages.anisotropic(*images)
            if len(images) > 1
            else TrainingImages.isotropic(*images)
        )
        settings = config.changed(augmentation=given)
        run = Trainer.start(settings, of_run, tmp_path / name)
        assert run.config.slices.augmentation == chosen, name
        samplers: Any = run.task.samplers
        assert {one.symmetries for one in samplers} == {chosen}, name


def test_what_settings_derive_from_images_is_measured_once(
    toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window estimates a run anew whenever a setting changes."""
    layers = np.arange(32 * 32 * 96).reshape(32, 32, 96) // 3 % 2
    images = TrainingImages.from_volume(
        Micrograph.from_array(layers.astype(np.uint8), "phases")
    )
    config = small_config().changed(
        architecture="slicegan-aa",
        latent_size=5,
        noise=True,
        voxel_noise="auto",
        voxel_stretch=(),
    )
    first = VolumeTask(config, images).spec
    for module, measurement in [
        (tasks, "nugget"),
        (tasks, "are_mirror_symmetric"),
        (image_checks, "interface_density_along"),
    ]:
        monkeypatch.delattr(module, measurement)
    assert VolumeTask(config, images).spec == first


def test_images_are_learned_from_a_folder(tmp_path: Path) -> None:
    found = training_data(SMALL, written(tmp_path, ellipses(3)))
    assert isinstance(found, ImageSet)
    np.testing.assert_array_equal(found.values, ellipses(3))


def test_images_are_learned_from_crops_or_whole_planes() -> None:
    """The planes of a volume are cut along the axis, and resized to the patch."""
    volume = stack()
    assert training_data(SMALL, volume) is volume
    whole = training_data(SMALL.changed(cut_axis="z"), volume)
    assert isinstance(whole, ImageSet)
    np.testing.assert_array_equal(whole.values, ellipses(6))
    some = training_data(SMALL.changed(cut_axis="z", max_images=2), volume)
    assert isinstance(some, ImageSet)
    np.testing.assert_array_equal(some.values, ellipses(6)[[0, 3]])
    across = training_data(SMALL.changed(cut_axis="y"), volume)
    assert isinstance(across, ImageSet)
    assert across.values.shape == (28, 28, 28)


def test_points_need_nothing(toy_images: TrainingImages) -> None:
    config = preset("realness-toy")
    for given in (None, toy_images):
        assert training_data(config, given) == nine_gaussians()


CASES: list[Refusal] = [
    (
        "volumes of a folder",
        lambda f: training_data(preset("slicegan-fast"), f),
        "makes volumes from micrographs, got .*; give image files",
    ),
    (
        "volumes of nothing",
        lambda _: training_data(preset("slicegan-fast"), None),
        "makes volumes from micrographs, got none",
    ),
    (
        "images of nothing",
        lambda _: training_data(SMALL, None),
        "makes images like those it is given, got none",
    ),
    (
        "micrographs that are not cut",
        lambda _: ImageSet.of_micrographs(stack(), 28, SMALL.images),
        "got 'Cut along' none",
    ),
]


def test_refused(tmp_path: Path) -> None:
    assert_all_refused(CASES, tmp_path)


def test_long_structures_are_trained_in_longer_voxels(tmp_path: Path) -> None:
    """Crops come from shorter images; volumes and all that is judged are long.

    The run keeps the choice; a setting of the user stands.
    """
    noise = np.random.default_rng(0).normal(size=(48, 48, 96))
    smooth = scipy.ndimage.gaussian_filter(noise, (1, 1, 12), mode="wrap")
    volume = Micrograph.from_array((smooth > 0).astype(np.uint8), "phases")
    images = TrainingImages.from_volume(volume)
    config = small_config().changed(voxel_stretch=(), steps=2)
    run = Trainer.start(config, images, tmp_path / "run")
    assert run.config.architecture.voxel_stretch == (1, 1, 4)
    samplers: Any = run.task.samplers
    shapes = [one.stacks[0].shape for one in samplers]
    assert shapes == [(48, 48, 24), (48, 48, 24), (24, 48, 48)]
    for _ in run.run():
        pass
    trained = load_generator(tmp_path / "run")
    preview = run.task.preview(trained)
    z, y, x = preview.values.shape
    assert (y, x) == (z, 4 * z)
    assert run.monitor.measure(preview).headline > 0
    resumed = Trainer.resume(tmp_path / "run", steps=3)
    assert resumed.gan.generator.spec.stretch == (1, 1, 4)
    tuned = fine_tune(tmp_path / "run", config, images, tmp_path / "tuned")
    assert tuned.config.architecture.voxel_stretch == (1, 1, 4)
    for given in [(1, 1, 1), (1, 1, 2)]:
        settings = config.changed(voxel_stretch=given)
        other = Trainer.start(settings, images, tmp_path / f"{given}")
        assert other.config.architecture.voxel_stretch == given
        assert other.gan.generator.spec.stretch == given
    with pytest.raises(
        ValueError, match=r"stretch of \(8, 8, 8\): .* at least 16 x 16"
    ):
        Trainer.start(
            config.changed(voxel_stretch=(8, 8, 8)), images, tmp_path / "small"
        )
