"""Comparison of generated and real material."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.metrics import METRICS, QUICK_METRICS
from napari_slicegan.metrics.comparison import (
    VOXEL_BYTES,
    Comparison,
    check_measuring_memory,
    compare,
)
from napari_slicegan.metrics.reference import Material, RealStatistics
from napari_slicegan.metrics.stored_volume import BLOCK_EDGE
from napari_slicegan.runtime import limits
from napari_slicegan.runtime.limits import PROGRAM_BYTES
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
PHASE_METRICS = [name for name in QUICK_METRICS if METRICS[name].measures == "phase"]


def gaussian_field(
    shape: tuple[int, ...], sigma: float | Sequence[float], seed: int
) -> NDArray[np.float64]:
    """Smooth random values with mean 0 and sd 1."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def two_phases(
    shape: tuple[int, ...], sigma: float | Sequence[float], seed: int
) -> NDArray[np.uint8]:
    """Field cut at its median: labels 0 and 255, half of each."""
    field = gaussian_field(shape, sigma, seed)
    return np.where(field > np.median(field), 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def same() -> Comparison:
    """A volume and an image of one and the same material."""
    volume = Volume(two_phases((80, 80, 80), 2, 1), "phases", 5.0)
    section = two_phases((64, 200, 200), 2, 2)[30]
    return compare([section], volume, 16)


def test_a_gaussian_field_has_the_known_correlation(same: Comparison) -> None:
    # Cut at the median: S2 = 1/4 + arcsin(rho) / 2 pi with rho = exp(-r^2 / 4 sigma^2);
    # Torquato (2002), section 8.1
    r = np.arange(16)
    expected = 0.25 + np.arcsin(np.exp(-(r**2) / 16)) / (2 * np.pi)
    for axis in AXES:
        row = same.row("two_point_correlation", 255, axis)
        np.testing.assert_allclose(np.array(row.generated), expected, atol=0.015)
        np.testing.assert_allclose(np.array(row.real), expected, atol=0.02)
        # crossings per voxel: arccos(rho(1)) / pi = 0.1117
        assert same.row("interface_density", 255, axis).generated == pytest.approx(
            0.1117, abs=0.003
        )


def test_the_same_material_is_near_the_noise_floor(same: Comparison) -> None:
    for name in PHASE_METRICS:
        if METRICS[name].only_3d:
            continue
        for axis in AXES if METRICS[name].per_axis else (None,):
            row = same.row(name, 255, axis)
            assert row.distance is not None
            assert row.noise_floor is not None
            assert row.distance < 1.5 * row.noise_floor


def test_a_coarser_material_is_far_above_the_noise_floor() -> None:
    coarse = Volume(two_phases((80, 80, 80), 4, 1), "phases")
    comparison = compare([two_phases((300, 300), 1.5, 2)], coarse, 16)
    for name in ("two_point_correlation", "lineal_path", "interface_density"):
        row = comparison.row(name, 255, "x")
        assert row.distance is not None
        assert row.noise_floor is not None
        assert row.distance > 3 * row.noise_floor


def test_a_volume_that_cannot_be_measured_in_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Large ones are measured in blocks, which take less."""
    edges = 64, 256, 1024
    needed = [VOXEL_BYTES * edge**3 for edge in (64, 256, BLOCK_EDGE)]
    monkeypatch.setattr(limits, "available_swap", lambda: 0)
    for lacking in (0, 1):
        for edge, n_bytes in zip(edges, needed, strict=True):
            free = PROGRAM_BYTES + n_bytes - lacking
            monkeypatch.setattr(limits, "free_for_program", lambda n=free: n)
            if lacking:
                with pytest.raises(ValueError, match="a volume to measure that fits"):
                    check_measuring_memory((edge,) * 3)
            else:
                check_measuring_memory((edge,) * 3)


def test_what_one_image_cannot_show_is_reported_alone(same: Comparison) -> None:
    for name in ("percolating_fraction", "slice_deviation"):
        row = same.row(name, 255, "y")
        assert row.generated is not None
        assert (row.real, row.distance, row.noise_floor) == (None, None, None)
    # half of a Gaussian field percolates in 3-D
    assert same.row("percolating_fraction", 0, "z").generated == pytest.approx(
        1, abs=0.01
    )


def test_rows_for_every_metric_phase_and_axis(same: Comparison) -> None:
    found = [(row.metric, row.phase, row.axis) for row in same.rows]
    expected = [
        (name, phase, axis)
        for phase in (0, 255)
        for name in PHASE_METRICS
        for axis in (AXES if METRICS[name].per_axis else (None,))
    ]
    assert found == expected


def test_each_direction_is_compared_with_its_own() -> None:
    # Three correlation lengths: any mix-up of the axes would show.
    volume = Volume(two_phases((40, 44, 48), (1, 2, 4), 5), "phases")
    planes = {axis: list(volume.planes(axis)) for axis in AXES}
    same_pairs = ("two_point_correlation", "lineal_path", "interface_density")
    axis_free = ("phase_fraction", "radial_two_point_correlation")
    comparison = compare(planes, volume, 16, (*same_pairs, *axis_free))
    for name in same_pairs:
        for axis in AXES:
            # all planes together hold every pair of voxels of the volume
            assert comparison.row(name, 255, axis).distance == pytest.approx(
                0, abs=1e-12
            )
    assert comparison.row("phase_fraction", 255).distance == pytest.approx(0, abs=1e-12)
    # in an anisotropic material no section has the volume's radial average
    assert comparison.row("radial_two_point_correlation", 255).real is None
    swapped = {"z": planes["x"], "y": planes["y"], "x": planes["z"]}
    wrong = compare(swapped, volume, 16, ["interface_density"]).row(  # type: ignore[arg-type]
        "interface_density", 255, "z"
    )
    assert wrong.distance is not None
    assert wrong.distance > 0.03


def test_a_truth_against_itself() -> None:
    truth = Volume(two_phases((48, 48, 48), 2, 7), "phases")
    comparison = compare(truth, truth, 16)
    assert {row.distance for row in comparison.rows} == {0}
    floors = [
        row.noise_floor for row in comparison.rows if row.metric != "chord_length"
    ]
    assert all(floor is not None and floor >= 0 for floor in floors)
    assert comparison.row("two_point_correlation", 0, "z").noise_floor != 0


def test_three_dimensional_statistics_are_compared_at_equal_size() -> None:
    truth = Volume(two_phases((60, 60, 60), 2, 8), "phases")
    part = Volume(truth.values[:40, :44, :48], "phases")
    smaller, larger = compare(truth, part, 16), compare(part, truth, 16)
    for name in ("percolating_fraction", "slice_deviation"):
        assert smaller.row(name, 255, "x").distance == 0
        found = larger.row(name, 255, "x")
        assert found.real == smaller.row(name, 255, "x").real
        assert 0 < (found.distance or 0) < 0.05


def test_a_rare_phase_is_judged_on_many_blocks() -> None:
    """A channel through one of eight blocks: an eighth of them percolates, not none."""
    real = np.zeros((48, 48, 48), np.uint8)
    real[:, 2, 2] = 1
    generated = np.zeros((24, 24, 24), np.uint8)
    generated[0, 0, 0] = 1
    comparison = compare(Volume(real, "phases"), Volume(generated, "phases"), 8)
    row = comparison.row("percolating_fraction", 1, "z")
    # Of the channel's two blocks all, of the other six nothing.
    assert row.real == pytest.approx(2 / 8)
    assert row.generated == 0
    assert row.noise_floor == pytest.approx((2 * 6 / 7 + 6 * 2 / 7) / 8)


def test_bentheimer_noise_floor() -> None:
    truth = Volume.open(SAMPLE_DATA / "bentheimer_truth.tif")
    part = Volume(truth.values[:64, :64, :64], "phases")
    metrics = ("phase_fraction", "two_point_correlation", "interface_density")
    comparison = compare(truth, part, 32, metrics)
    for axis in AXES:
        row = comparison.row("two_point_correlation", 255, axis)
        # mean |difference of S2| at r < 32 between single slices: 0.0066
        assert row.noise_floor == pytest.approx(0.0066, abs=0.0008)
        assert isinstance(row.real, tuple)
        found = [row.real[r] for r in (1, 2, 4, 8, 16)]
        known = [0.157, 0.123, 0.082, 0.049, 0.041]
        np.testing.assert_allclose(found, known, atol=0.002)
        faces = comparison.row("interface_density", 255, axis)
        assert faces.real == pytest.approx(0.085, abs=0.001)
    assert comparison.row("phase_fraction", 255).real == pytest.approx(0.1997, abs=5e-5)
    image = compare([truth.values[125]], part, 32, metrics).row("phase_fraction", 255)
    assert image.real == pytest.approx(0.2015, abs=5e-5)


def test_gray_values_are_compared_by_histogram_and_autocovariance() -> None:
    image = (100 + 20 * gaussian_field((80, 80), 2, 1)).astype(np.float32)
    brighter = (110 + 20 * gaussian_field((40, 40, 40), 2, 2)).astype(np.float32)
    comparison = compare([image], Volume(brighter, "grayscale"), 16)
    metrics = {row.metric for row in comparison.rows}
    assert metrics == {"histogram", "normalised_autocovariance"}
    histogram = comparison.row("histogram", "gray")
    # all values are 10 brighter, half a standard deviation
    assert histogram.distance == pytest.approx(0.5, abs=0.05)
    assert (histogram.real, histogram.generated) == pytest.approx((100, 110), rel=1e-5)
    assert histogram.noise_floor is not None
    # both have the same variance, whatever the brightness; also by the earlier name
    row = comparison.row("autocovariance", "gray", "y")
    assert row == comparison.row("normalised_autocovariance", "gray", "y")
    assert isinstance(row.real, tuple)
    assert isinstance(row.generated, tuple)
    assert (row.real[0], row.generated[0]) == pytest.approx((1, 1), rel=1e-5)
    assert row.distance is not None
    assert row.distance < 0.1


def test_a_phase_without_chords_has_no_mean() -> None:
    volume = Volume(np.zeros((20, 20, 20), np.uint8), "phases", labels=(0, 1))
    comparison = compare([two_phases((80, 80), 2, 1) // 255], volume, 8)
    row = comparison.row("chord_length", 1, "z")
    assert row.generated is None
    assert row.distance is None
    assert isinstance(row.real, float)


def test_only_the_wanted_metrics_are_measured(same: Comparison) -> None:
    volume = Volume(two_phases((24, 24, 24), 2, 1), "phases")
    image = two_phases((64, 64), 2, 1)
    comparison = compare([image], volume, 8, ("phase_fraction", "autocovariance"))
    assert [row.metric for row in comparison.rows] == ["phase_fraction"] * 2
    with pytest.raises(ValueError, match="got roughness"):
        compare([image], volume, 8, ("roughness",))
    with pytest.raises(ValueError, match="No row for metric 'tortuosity'"):
        same.row("tortuosity", 255)


def test_references_with_other_labels() -> None:
    rows: list[tuple[Any, str]] = [
        (np.array([[0, 1], [1, 0]]), r"same labels; got \[0, 1\] and \[0, 255\]"),
        (np.arange(64).reshape(8, 8), "at most 16"),
        (np.array([[0, 0.5], [1, 0]]), "integer labels; got float64"),
    ]
    for image, message in rows:
        volume = Volume(two_phases((8, 8, 8), 1, 1), "phases")
        with pytest.raises(ValueError, match=message):
            compare([image], volume, 1)


def test_json(same: Comparison) -> None:
    written = json.dumps(same.to_dict(), allow_nan=False)
    read = json.loads(written)
    assert read == same.to_dict()
    assert read["max_distance"] == 16
    assert len(read["rows"]) == len(same.rows)
    assert read["generated"] == "80 x 80 x 80"


def test_table(same: Comparison) -> None:
    lines = same.table().splitlines()
    assert lines[0] == "Real: 2-D images: 1 of 200 x 200"
    assert lines[2] == (
        "Noise floor: disjoint crops: 4 of 100 x 100, each against the mean of the "
        "others"
    )
    header = lines[5]
    rows = lines[6:]
    assert len(rows) == len(same.rows)
    assert header.split() == (
        "metric phase axis real generated distance noise floor".split()
    )
    # numbers end below the end of their heading
    for row in rows:
        assert row[header.index("generated") + len("generated")] == " "
        assert row[header.index("generated") + len("generated") - 1] != " "
        assert len(row) == len(header)


def sources() -> dict[str, Material]:
    """Each form that the real material can have, and gray values."""
    truth = two_phases((48, 44, 40), 2, 3)
    views: dict[Axis, list[NDArray[Any]]] = {
        "z": [truth[20]],
        "y": [truth[:, 20]],
        "x": [truth[:, :, 20]],
    }
    return {
        "isotropic": [two_phases((80, 60), 2, 1), two_phases((40, 60), 2, 2)],
        "anisotropic": views,
        "truth": Volume(truth, "phases"),
        "gray": [gaussian_field((80, 60), 2, 1)],
    }


def test_statistics_measured_once_are_those_measured_anew(
    subtests: pytest.Subtests,
) -> None:
    """Also for volumes of other shapes and labels, in any order."""
    for name in sources():
        with subtests.test(name):
            source = sources()[name]
            real = RealStatistics(source)
            # Not those that take longest.
            metrics = set(QUICK_METRICS) - {"pore_size", "lineal_path"}
            volumes = [
                Volume(two_phases((28, 28, 28), 2, 4), "phases", labels=(0, 255)),
                Volume(np.zeros((28, 28, 28), np.uint8), "phases", labels=(0, 255)),
                Volume(two_phases((32, 24, 28), 2, 5), "phases", labels=(0, 128, 255)),
                Volume(two_phases((28, 28, 28), 3, 6), "phases", labels=(0, 255)),
            ]
            if name == "gray":
                fields = [gaussian_field((n, 28, 28), 2, n) for n in (28, 24, 29, 28)]
                volumes = [Volume(field, "grayscale") for field in fields]
            for volume in volumes:
                found = compare(real, volume, 12, metrics)
                anew = compare(source, volume, 12, metrics)
                assert repr(found) == repr(anew)  # nan is not equal to itself
                for row in found.rows:
                    if row.metric in ("two_point_correlation", "autocovariance"):
                        assert row.axis is not None
                        values = volume.values
                        seen = values if name == "gray" else values == row.phase
                        function = METRICS[row.metric].function
                        expected = function(seen, 11, AXES.index(row.axis))
                        np.testing.assert_allclose(
                            np.array(row.generated), expected, 1e-12
                        )


def test_statistics_measured_once_refuse_volumes_of_another_kind() -> None:
    image = Micrograph.from_array(two_phases((90, 90), 2, 1), "phases")
    real = RealStatistics(image)
    compare(real, Volume(two_phases((40, 40, 40), 2, 4), "phases"), 8)
    with pytest.raises(ValueError, match="must be of one kind; got 'phases' and 'gray"):
        compare(real, Volume(gaussian_field((40, 40, 40), 2, 1), "grayscale"), 8)


def test_noise_floor_of_independent_pixels() -> None:
    images = list(np.random.default_rng(0).random((60, 40, 40)) < 0.3)
    volume = Volume(np.random.default_rng(1).random((20, 20, 20)) < 0.3, "phases")
    row = compare(images, volume, 16, ["phase_fraction"]).row("phase_fraction", 1)
    # 240 crops of 20 x 20: sd sqrt(0.3 * 0.7 / 400) = 0.0229 each, the mean of the
    # others hardly any; mean of |normal| = sqrt(2 / pi) sd = 0.0183
    assert row.noise_floor == pytest.approx(0.0183, rel=0.1)


def test_colours_are_compared_by_channel() -> None:
    """Uniform from 0 to 199: a standard deviation of 200 / sqrt(12) = 57.7."""
    values = np.random.default_rng(0).integers(0, 200, (20, 24, 28, 3), dtype=np.uint8)
    shifted = values + np.array([0, 10, 20], dtype=np.uint8)
    comparison = compare(Volume(values, "colour"), Volume(shifted, "colour"), 8)
    for channel, shift in (("red", 0), ("green", 10), ("blue", 20)):
        row = comparison.row("histogram", channel)
        assert row.distance == pytest.approx(shift / 57.7, rel=0.01, abs=1e-9)
    row = comparison.row("normalised_autocovariance", "blue", "z")
    assert row.distance == pytest.approx(0, abs=1e-6)


def test_several_images_are_pooled_by_size() -> None:
    dark, bright = np.zeros((20, 30)), np.full((20, 10), 8.0)
    volume = Volume(np.full((10, 10, 10), 2.0), "grayscale")
    row = compare([dark, bright], volume, 8).row("histogram", "gray")
    # three quarters 0, one quarter 8: mean 2, and to 2 it is 3/4 * 2 + 1/4 * 6 = 3;
    # the variance is 3/4 * 4 + 1/4 * 36 = 12
    assert (row.real, row.distance) == pytest.approx((2, 3 / 12**0.5))
    phases = Volume(np.zeros((10, 10, 10), np.uint8), "phases", labels=(0, 1))
    two = [np.zeros((20, 30), np.uint8), np.ones((20, 10), np.uint8)]
    assert compare(two, phases, 8).row("phase_fraction", 1).real == 0.25


def test_every_entry_measures_images_and_volumes() -> None:
    rng = np.random.default_rng(0)
    for shape in ((40, 50), (12, 14, 16)):
        values = rng.random(shape) < 0.5
        for metric in METRICS.values():
            for axis in range(len(shape)):
                value = metric.function(values, 7, axis)
                assert np.isfinite(value).all(), metric.title
                assert np.shape(value) in ((), (8,)), metric.title


def test_sections_and_volumes_have_the_same_expectation() -> None:
    """Except for the metrics that need 3-D."""
    rng = np.random.default_rng(0)
    volume = rng.random((90, 90, 90)) < 0.3
    section = rng.random((600, 600)) < 0.3
    for metric in METRICS.values():
        if not metric.only_3d:
            np.testing.assert_allclose(
                metric.function(section, 5, 1),
                metric.function(volume, 5, 2),
                atol=0.005,
                rtol=0.02,
                err_msg=metric.title,
            )


def test_labels_spread_to_be_seen_are_the_same_phases() -> None:
    """A volume of 0 and 1 against an image of 0 and 255; 0 and 2 are other phases."""
    values = np.random.default_rng(0).integers(0, 2, (24, 24, 24)).astype(np.uint8)
    image = Micrograph.from_array(values[0] * 255, name="b.png")
    shown = compare(image, Volume.from_array(values))
    alike = compare(image, Volume.from_array(values * 255))
    assert [row.generated for row in shown.rows] == [r.generated for r in alike.rows]
    with pytest.raises(ValueError, match="same labels"):
        compare(Micrograph.from_array(values[0]), Volume.from_array(values * 2))


def test_one_object_is_within_the_noise_floor_of_none() -> None:
    """A real phase in one piece, a generated one with a speck beside it."""
    real = np.zeros((48, 48, 48), np.uint8)
    real[:, 10:30] = 1
    made = real.copy()
    made[40, 40, 40] = 1
    rows = compare(Volume(real, "phases"), Volume(made, "phases"), 8).rows
    (row,) = (
        one for one in rows if (one.metric, one.phase) == ("component_density", 1)
    )
    assert row.real == 0
    assert row.noise_floor == 1 / 24**3
    # In one block of eight.
    assert row.distance == pytest.approx(1 / 23**3 / 8)
