"""Quality monitor and preview picture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import patch_samplers
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.metrics import METRICS, Metric
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.report.text import findings
from napari_slicegan.training import monitors
from napari_slicegan.training.monitors import (
    COSTLY_INTERVAL_S,
    COSTLY_SHARE,
    GAP,
    MAX_DISTANCE,
    MEASURED,
    PANEL,
    SECTION_EULER,
    QualityMonitor,
    SliceDistance,
    preview_image,
    quality_of,
)
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.toys import phases_image, smooth_field

if TYPE_CHECKING:
    from napari_slicegan.config import Kind


def volume_of(size: int, threshold: float, seed: int = 5) -> Volume:
    values = np.where(smooth_field(size, size, size, seed=seed) > threshold, 207, 7)
    return Volume(values.astype(np.uint8), "phases", 5.0, (7, 207))


def test_a_volume_like_the_image_is_near_the_noise_floor() -> None:
    """The same random field in 3-D; with fewer pores it is far away."""
    monitor = QualityMonitor(TrainingImages.isotropic(phases_image(160, 160)))
    fraction = float((phases_image(160, 160).values == 207).mean())
    field = smooth_field(64, 64, 64, seed=5)
    good = monitor.measure(volume_of(64, float(np.quantile(field, 1 - fraction))))
    bad = monitor.measure(volume_of(64, float(np.quantile(field, 0.9))))
    assert good.fraction_distance < 0.01
    assert bad.fraction_distance == pytest.approx(abs(fraction - 0.1), abs=0.01)
    assert good.correlation_distance < 2 * good.correlation_floor
    assert bad.correlation_distance > 5 * good.correlation_distance
    assert (good.fraction_floor, good.correlation_floor) == (
        bad.fraction_floor,
        bad.correlation_floor,
    )


def test_rough_volumes_are_told() -> None:
    """Half the voxels along each axis double the interface density."""
    image = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((8, 8), int))
    monitor = QualityMonitor(
        TrainingImages.isotropic(Micrograph.from_array(image, "phases"))
    )
    coarse = np.kron(np.indices((8, 8, 8)).sum(axis=0) % 2, np.ones((4, 4, 4), int))
    # Faces: 15 in 127 pairs of pixels, 7 in 31 pairs of voxels.
    expected = (7 / 31) / (15 / 127) - 1
    quality = monitor.measure(Volume(coarse.astype(np.uint8), "phases"))
    assert quality.interface_density_error == pytest.approx(expected)
    # Quarters of a regular board have faces of equal number, but for the border.
    assert 0 <= quality.interface_density_floor < 0.05
    # Too many of them.
    assert quality.interface_density_difference == pytest.approx(expected)
    (curve,) = (c for c in monitor.curves if c.column == "interface_density_error")
    assert curve.floor == "interface_density_floor"


def test_real_images_are_measured_at_the_first_preview_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And along each of their two axes once, not for each axis of the volume."""
    seen: list[tuple[str, tuple[int, ...]]] = []

    def recording(name: str) -> Metric:
        function = METRICS[name].function

        def measure(values: Any, distance: int, axis: int) -> Any:
            seen.append((name, values.shape))
            return function(values, distance, axis)

        return replace(METRICS[name], function=measure)

    for name in MEASURED:
        monkeypatch.setitem(METRICS, name, recording(name))
    monitor = QualityMonitor(TrainingImages.isotropic(phases_image(160, 160)))
    first = monitor.measure(volume_of(40, 0.0))
    # Two phases along two axes.
    assert seen.count(("two_point_correlation", (160, 160))) == 4
    # The same of four crops.
    assert seen.count(("two_point_correlation", (80, 80))) == 16
    assert seen.count(("phase_fraction", (160, 160))) == 2
    seen.clear()
    second = monitor.measure(volume_of(40, 0.05, seed=6))
    assert {shape for _, shape in seen} == {(40, 40, 40)}
    # Two phases along three axes.
    assert seen.count(("two_point_correlation", (40, 40, 40))) == 6
    assert second != first
    fresh = compare(monitor.images, volume_of(40, 0.05, seed=6), MAX_DISTANCE, MEASURED)
    assert second == quality_of(fresh)


def test_gray_values_have_no_faces() -> None:
    gray = (100 + 900 * smooth_field(80, 80)).astype(np.float32)
    monitor = QualityMonitor(
        TrainingImages.isotropic(Micrograph.from_array(gray, "grayscale"))
    )
    volume = (100 + 900 * smooth_field(40, 40, 40)).astype(np.float32)
    quality = monitor.measure(Volume(volume, "grayscale"))
    assert math.isnan(quality.interface_density_error)
    assert math.isfinite(quality.correlation_distance + quality.fraction_distance)
    titles = [curve.title for curve in monitor.curves]
    assert titles == ["Histogram", "Normalised autocovariance"]


@pytest.mark.parametrize("shape", [(80, 80), (80, 80, 3)], ids=["gray", "colour"])
def test_the_scale_of_the_gray_values_does_not_matter(shape: tuple[int, ...]) -> None:
    """An image in 8 bits and the same in 16: 257 times the values, equal numbers."""
    kind: Kind = "colour" if len(shape) == 3 else "grayscale"
    values = np.rint(120 + 600 * smooth_field(*shape)).astype(np.uint8)
    made = np.rint(130 + 700 * smooth_field(40, *shape[1:])[:, :40]).astype(np.uint8)
    made = np.stack([made] * 40)
    found = []
    for scale in (1, 257):
        image, volume = (v.astype(np.uint16) * scale for v in (values, made))
        comparison = compare([image], Volume(volume, kind), 16)
        rows = [(row.distance, row.noise_floor) for row in comparison.rows]
        found.append(np.array(rows, np.float64))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
    # Relative to the material: of the order of 1, whatever the number of bits.
    assert 0.01 < found[0][:, 0].max() < 10


def test_slices_of_a_volume_against_crops() -> None:
    """The same random field lies at the floor; one of other fractions far above."""
    images = TrainingImages.isotropic(phases_image(160, 160))
    transform = fit_transform(images)
    slices = SliceDistance(
        patch_samplers(images, transform, 32, "rotations"), transform
    )
    monitor = QualityMonitor(images, slices)
    good = monitor.measure(volume_of(40, 0.0))
    bad = monitor.measure(volume_of(40, 0.05))
    assert good.swd == monitor.measure(volume_of(40, 0.0)).swd
    assert 0 < good.swd_floor == bad.swd_floor
    assert 0.5 * good.swd_floor < good.swd < 1.5 * good.swd_floor
    assert bad.swd > 1.5 * good.swd
    assert [curve.column for curve in monitor.curves][-1] == "swd"
    assert {"swd", "swd_floor"} < set(monitor.columns)


def test_slices_are_measured_for_each_direction() -> None:
    """Layers along z: seen along z nothing changes in a plane, seen along x much."""
    layers = np.repeat(np.arange(32) // 4 % 2, 32 * 32).reshape(32, 32, 32)
    stack = Micrograph.from_array(layers.astype(np.uint8), "phases")
    images = TrainingImages.from_volume(stack)
    transform = fit_transform(images)
    slices = SliceDistance(patch_samplers(images, transform, 16, "none"), transform)
    volume = Volume(layers.astype(np.uint8), "phases")
    turned = Volume(layers.swapaxes(0, 2).copy().astype(np.uint8), "phases")
    assert slices.measure(turned) > 2 * slices.measure(volume)


def test_without_slices_the_history_has_no_columns_for_them() -> None:
    monitor = QualityMonitor(TrainingImages.isotropic(phases_image(160, 160)))
    assert not {"swd", "swd_floor"} & set(monitor.columns)
    # Distances and floors; in noise floors, also for sections; too many interfaces.
    assert len(monitor.columns) == 6 + 4 + 1
    assert math.isnan(monitor.measure(volume_of(40, 0.0)).swd)


def test_the_largest_distance_is_in_floors_of_its_own_row() -> None:
    """As the report judges it, not the largest distance over the largest floor."""
    images = TrainingImages.isotropic(phases_image(160, 160))
    volume = volume_of(40, 0.05)
    quality = QualityMonitor(images).measure(volume)
    comparison = compare(images, volume, MAX_DISTANCE, MEASURED)
    worst = {finding.row.metric: finding.floors for finding in findings(comparison)}
    assert worst == {
        "phase_fraction": quality.fraction_in_floors,
        "two_point_correlation": quality.correlation_in_floors,
        "interface_density": quality.interface_density_in_floors,
    }
    assert max(worst.values()) > 3


def a_real_volume() -> TrainingImages:
    """A volume as the real material; its blocks are of 32 voxels."""
    truth = volume_of(64, 0.0)
    return TrainingImages.from_volume(
        Micrograph.from_array(truth.values, "phases", pixel_size_nm=5.0)
    )


CONNECTED = {"percolating_fraction", "euler_density", "effective_diffusivity"}


def test_connectivity_is_measured_every_few_minutes_while_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At most 1 % of the time of the run, whatever a preview costs."""
    now = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: now[0])
    calls: list[float] = []

    def costly(phase: NDArray[np.bool_], distance: int, axis: int) -> float:
        now[0] += 0.001 * phase.size / 24**3
        calls.append(now[0])
        return float(phase.mean())

    for name in CONNECTED:
        changed = replace(METRICS[name], function=costly)
        monkeypatch.setitem(METRICS, name, changed)
    monitor = QualityMonitor(a_real_volume())
    known = {f"{name}_in_floors" for name in CONNECTED}
    assert known < set(monitor.columns)
    spent, measured = 0.0, []
    for preview in range(400):
        before = now[0]
        quality = monitor.measure(volume_of(32, 0.0))
        spent += now[0] - before
        found = {name for name in known if math.isfinite(getattr(quality, name))}
        measured += [(now[0], name) for name in found]
        # Apart from the trials of a thousandth of a second.
        assert spent <= COSTLY_SHARE * now[0] + 0.02
        now[0] += 5
        if preview < 10:
            assert not calls
    assert {name for _, name in measured} == known
    for name in known:
        times = [when for when, one in measured if one == name]
        assert len(times) > 5
        assert min(np.diff(times)) >= COSTLY_INTERVAL_S


def test_connectivity_of_images_is_that_of_their_sections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitors, "COSTLY_INTERVAL_S", -1)
    monkeypatch.setattr(monitors, "COSTLY_SHARE", 1e6)
    monitor = QualityMonitor(TrainingImages.isotropic(phases_image(160, 160)))
    assert monitor.curves[-1] is SECTION_EULER
    quality = [monitor.measure(volume_of(40, 0.0)) for _ in range(2)][-1]
    assert 0 < quality.section_euler_in_floors < 5
    assert math.isnan(quality.percolating_fraction_in_floors)
    gray = Micrograph.from_array(
        np.arange(40 * 40, dtype=np.float32).reshape(40, 40), "grayscale"
    )
    names = QualityMonitor(TrainingImages.isotropic(gray)).columns
    assert "section_euler_in_floors" not in names


def test_diffusivity_is_that_of_the_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block like those of the real material lies near the noise floor."""
    monkeypatch.setattr(monitors, "COSTLY_INTERVAL_S", -1)
    monkeypatch.setattr(monitors, "COSTLY_SHARE", 1e6)
    monkeypatch.setattr(monitors, "SOLVED_EDGE", 16)
    images = a_real_volume()
    monitor = QualityMonitor(images)
    volume = volume_of(32, 0.0)
    quality = [monitor.measure(volume) for _ in range(2)][-1]
    block = replace(volume, values=volume.values[8:24, 8:24, 8:24])
    (found,) = findings(compare(images, block, 32, ("effective_diffusivity",)))
    assert quality.effective_diffusivity_in_floors == pytest.approx(found.floors)
    row = found.row
    assert isinstance(row.real, float)
    assert isinstance(row.generated, float)
    assert quality.effective_diffusivity_difference == pytest.approx(
        row.generated / row.real - 1
    )


StartToy = Callable[..., Trainer]
EDGE = 24
FACTOR = PANEL // EDGE


def panel(picture: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """A panel at its own size; all its enlarged pixels must be equal squares."""
    step = EDGE * FACTOR + GAP
    top, left = row * step, column * step
    part = picture[top : top + EDGE * FACTOR, left : left + EDGE * FACTOR]
    small = part[::FACTOR, ::FACTOR]
    assert np.array_equal(np.kron(small, np.ones((FACTOR, FACTOR), np.uint8)), part)
    return small


def test_isotropic_material() -> None:
    """The middle of the image, then the middle planes along z, y and x."""
    image = phases_image(40, 48)
    values = phases_image(EDGE, EDGE, EDGE, seed=1).values
    picture = preview_image(TrainingImages.isotropic(image), Volume(values, "phases"))
    assert picture.dtype == np.uint8
    assert picture.shape == (EDGE * FACTOR + GAP, 4 * (EDGE * FACTOR + GAP))
    real = image.values[8:32, 12:36]
    expected = [real, values[12], values[:, 12], values[:, :, 12]]
    for column, plane in enumerate(expected):
        found = panel(picture, 0, column)
        # Two shades, the same for the same phase everywhere.
        assert np.array_equal(found, np.where(plane == 7, 0, 230)), column
    assert (picture[:, EDGE * FACTOR : EDGE * FACTOR + GAP] == 255).all()


def test_anisotropic_material() -> None:
    """Above each plane the real crop of its own direction."""
    views = [phases_image(40, 48, seed=seed) for seed in (1, 2, 3)]
    values = phases_image(EDGE, EDGE, EDGE, seed=4).values
    images = TrainingImages.anisotropic(*views)
    picture = preview_image(images, Volume(values, "phases"))
    planes = [values[12], values[:, 12], values[:, :, 12]]
    for column, (view, plane) in enumerate(zip(views, planes, strict=True)):
        real = view.values[8:32, 12:36]
        assert np.array_equal(panel(picture, 0, column), np.where(real == 7, 0, 230))
        assert np.array_equal(panel(picture, 1, column), np.where(plane == 7, 0, 230))


def test_images_of_different_sizes() -> None:
    """A crop smaller than the volume keeps its scale; white fills the rest."""
    views = [phases_image(*shape) for shape in ((16, 48), (40, 48), (20, 18))]
    values = phases_image(EDGE, EDGE, EDGE, seed=4).values
    images = TrainingImages.anisotropic(*views)
    picture = preview_image(images, Volume(values, "phases"))
    step = EDGE * FACTOR + GAP
    assert picture.shape == (2 * step, 3 * step)
    planes = [values[12], values[:, 12], values[:, :, 12]]
    for column, plane in enumerate(planes):
        assert np.array_equal(panel(picture, 1, column), np.where(plane == 7, 0, 230))
    crops = [views[0].values[:, 12:36], views[1].values[8:32, 12:36], views[2].values]
    for column, crop in enumerate(crops):
        rows, columns = crop.shape
        shown = panel(picture, 0, column)
        assert np.array_equal(shown[:rows, :columns], np.where(crop == 7, 0, 230))
        assert (shown[rows:] == 255).all()
        assert (shown[:, columns:] == 255).all()


def test_planes_of_a_long_volume_are_cut_to_the_images() -> None:
    image = Micrograph.from_array(
        np.tile(np.array([7, 207], np.uint8), (40, 20)), "phases"
    )
    values = np.tile(np.array([207, 7], np.uint8), (EDGE, EDGE, 3 * EDGE // 2))
    picture = preview_image(
        TrainingImages.anisotropic(image, image, image), Volume(values, "phases")
    )
    factor = PANEL // 40
    square = 40 * factor + GAP
    assert picture.shape == (2 * square, 3 * square)
    shown = picture[square, : 40 * factor : factor]
    assert np.array_equal(shown, np.tile([230, 0], 20))


def test_gray_values_share_one_scale() -> None:
    """Black and white are the darkest and the brightest value of the material."""
    values = np.linspace(1000, 3000, 40 * 40).reshape(40, 40).astype(np.uint16)
    images = TrainingImages.isotropic(Micrograph.from_array(values, "grayscale"))
    volume = Volume(np.full((EDGE,) * 3, 2000, np.uint16), "grayscale")
    picture = preview_image(images, volume)
    # (2000 - 1000) / (3000 - 1000) of 255.
    assert (panel(picture, 0, 2) == 128).all()


def test_colour() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    colours[0, 0], colours[0, 1] = 0, 255
    images = TrainingImages.isotropic(Micrograph.from_array(colours, "colour"))
    volume = Volume(np.full((EDGE, EDGE, EDGE, 3), (9, 90, 200), np.uint8), "colour")
    picture = preview_image(images, volume)
    assert picture.shape[2] == 3
    assert np.array_equal(picture[0, 0], colours[8, 8])
    assert np.array_equal(picture[0, EDGE * FACTOR + GAP], (9, 90, 200))


@pytest.mark.parametrize("monitor_interval", [2, 1000])
def test_runs_keep_their_last_preview(
    start_toy: StartToy, tmp_path: Path, monitor_interval: int
) -> None:
    """Written whenever a preview is made; a run without one has no picture."""
    path = tmp_path / "run" / "preview.png"
    trainer = start_toy(steps=4, monitor_interval=monitor_interval)
    last = None
    for report in trainer.run():
        last = report.preview or last
        assert path.exists() == (last is not None)
    if last is not None:
        with Image.open(path) as picture:
            expected = preview_image(trainer.images, last)
            assert np.array_equal(np.asarray(picture), expected)
    assert not list(path.parent.glob(".*.partial"))
