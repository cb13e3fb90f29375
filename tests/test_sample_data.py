"""The sample files hold what sample_data/README.md says of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import sample_data
from napari_slicegan.cli.demo import Material
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report.proof import ProofSettings
from sample_data.scripts import fibres, models, spheres, varied_sandstone
from tests.toys import small_config

MEGABYTE = 2**20


def phase(name: str) -> NDArray[np.bool_]:
    """Read a sample of labels: true in the second phase."""
    labels = tifffile.imread(sample_data.path(name))
    assert set(np.unique(labels)) == {0, 255}
    return np.asarray(labels == 255)


def differing_pairs(mask: NDArray[np.bool_], axis: int) -> float:
    return float(np.diff(mask, axis=axis).mean())


@pytest.fixture(scope="module")
def pores() -> NDArray[np.bool_]:
    return phase("bentheimer_truth")


def test_every_sample_names_a_file_and_every_file_is_a_sample() -> None:
    folder = sample_data.path("aluminium").parent
    files = {*folder.glob("*.tif"), *folder.glob("*.png")}
    assert {sample_data.path(name) for name in sample_data.SAMPLES} == files
    truths = {sample.truth for sample in sample_data.SAMPLES.values()} - {None}
    assert truths <= sample_data.SAMPLES.keys()
    assert sum(file.stat().st_size for file in files) < 6 * MEGABYTE


def test_readme_names_every_file() -> None:
    folder = sample_data.path("aluminium").parent
    text = (folder / "README.md").read_text(encoding="utf-8")
    for sample in sample_data.SAMPLES.values():
        assert f"`{sample.file}`" in text
    for script in re.findall(r"`(\w+\.py)`", text):
        assert (folder / "scripts" / script).is_file()


def test_generators_are_found_by_name_when_they_are_there() -> None:
    there = sample_data.generator_path("varied_sandstone")
    assert there == sample_data.path("varied_sandstone")
    for name in sample_data.MODELS:
        file = sample_data.model_path(name)
        if file.is_file():
            assert sample_data.generator_path(name) == file
            assert file.with_suffix(".md").is_file()
            assert file.stat().st_size < 2 * MEGABYTE
        else:
            with pytest.raises(ValueError, match=f"called '{name}'.*varied_sandstone"):
                sample_data.generator_path(name)


def test_models_are_made_with_card_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.TRAINED.keys() == sample_data.MODELS.keys()
    monkeypatch.setattr(models, "config_of", lambda *_: small_config())
    monkeypatch.setitem(models.TRAINED, "spheres", Material(("aluminium",), {}))
    file, report = tmp_path / "spheres.safetensors", tmp_path / "spheres.html"
    settings = ProofSettings(size=32, n_seeds=2, transport=False)
    models.train("spheres", 0.1, tmp_path / "run")
    models.ship("spheres", tmp_path / "run", file, report, settings)
    assert load_generator(file).transform.kind == "grayscale"
    card = file.with_suffix(".md").read_text("utf-8")
    assert "aluminium.png" in card
    assert "MIT, Georgia Tech Research Corporation" in card
    assert report.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_models_have_fixed_seeds_and_small_generators() -> None:
    for name in sample_data.MODELS:
        config = models.config_of(models.TRAINED[name], 5)
        assert (config.training.seed, config.training.minutes) == (models.SEED, 5)
        assert config.architecture.generator_widths == (128, 64, 32, 16)


def test_generators_are_small_and_described() -> None:
    folder = sample_data.path("aluminium").parent
    files = {sample_data.path(name) for name in sample_data.GENERATORS}
    assert files == set(folder.glob("*.safetensors"))
    text = (folder / "README.md").read_text(encoding="utf-8")
    for file in files:
        assert f"`{file.name}`" in text
        assert file.stat().st_size < 2 * MEGABYTE


@pytest.mark.parametrize("porosity", [0.15, 0.4])
def test_sandstone_of_another_porosity_keeps_its_pores(
    pores: NDArray[np.bool_], porosity: float
) -> None:
    """Moved interfaces: smaller pores lie in larger ones, and hardly any are new."""
    block = pores[:96, :96, :96]
    distance = varied_sandstone.signed_distance(block)
    varied = varied_sandstone.with_porosity(distance, porosity)
    assert varied.mean() == pytest.approx(porosity, abs=0.001)
    wider = varied_sandstone.with_porosity(distance, porosity + 0.05)
    assert not (varied & ~wider).any()
    _, before = ndimage.label(block)
    _, after = ndimage.label(varied)
    assert after <= 1.5 * before


def test_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"called 'gold'.*nanoporous_gold"):
        sample_data.path("gold")


def test_gold_keeps_its_pixel_size_and_loses_its_data_bar() -> None:
    with tifffile.TiffFile(sample_data.path("nanoporous_gold")) as file:
        values = file.asarray()
        header = file.ome_metadata or ""
    assert values.shape == (690, 1024)
    # The microscope's header says 543 pm.
    assert 'PhysicalSizeX="0.543" PhysicalSizeXUnit="nm"' in header
    # The data bar is white with black lines: rows of the metal are neither.
    assert np.all((values.mean(axis=1) > 100) & (values.mean(axis=1) < 160))


def test_aluminium_is_a_gray_image() -> None:
    with Image.open(sample_data.path("aluminium")) as image:
        values = np.asarray(image)
    assert values.shape == (150, 150)
    assert values.dtype == np.uint8
    assert (values > 127).mean() == pytest.approx(0.80, abs=0.005)


def test_sandstone_slice_and_block_are_cut_from_the_volume(
    pores: NDArray[np.bool_],
) -> None:
    assert pores.shape == (250, 250, 250)
    assert np.array_equal(phase("bentheimer_slice"), pores[125])
    block = phase("bentheimer_truth_128")
    assert np.array_equal(block, pores[61:189, :128, :128])


def test_sandstone_has_the_known_porosity(pores: NDArray[np.bool_]) -> None:
    assert pores.mean() == pytest.approx(0.1997, abs=5e-5)
    assert pores[125].mean() == pytest.approx(0.2015, abs=5e-5)
    assert phase("bentheimer_truth_128").mean() == pytest.approx(0.1998, abs=5e-5)
    for axis in range(3):
        planes = pores.mean(axis=tuple({0, 1, 2} - {axis}))
        assert 0.0115 < planes.std() < 0.0145  # 0.012-0.014


def test_sandstone_has_the_known_two_point_correlation(
    pores: NDArray[np.bool_],
) -> None:
    known = {1: 0.157, 2: 0.123, 4: 0.082, 8: 0.049, 16: 0.041, 32: 0.040}
    for distance, truth in known.items():
        along_axes = [
            (line[distance:] & line[:-distance]).mean()
            for line in (np.moveaxis(pores, axis, 0) for axis in range(3))
        ]
        assert np.mean(along_axes) == pytest.approx(truth, abs=6e-4)


def test_sandstone_has_the_known_faces_and_percolates(pores: NDArray[np.bool_]) -> None:
    clusters, _ = ndimage.label(pores)
    for axis in range(3):
        assert differing_pairs(pores, axis) == pytest.approx(0.085, abs=1e-3)
        first, last = clusters.take(0, axis), clusters.take(-1, axis)
        through = np.setdiff1d(np.intersect1d(first, last), [0])
        share = np.isin(clusters, through).sum() / pores.sum()
        assert share == pytest.approx(0.992, abs=5e-4)


def test_fibres_have_the_fraction_of_their_formula() -> None:
    volume = phase("fibres_truth")
    # 834 cylinders of radius 5 and length 64 in 256^3: 834 * 25 pi * 64 / 256^3.
    assert fibres.number_of_fibres() == 834
    assert volume.mean() == pytest.approx(834 * 25 * np.pi * 64 / 256**3, abs=5e-4)


def test_fibres_run_along_x() -> None:
    volume = phase("fibres_truth")
    # Cylinders of radius r show 2r per length to z and y, pi r^2 per end to x:
    # 834 fibres * 2 sides * 10 * 64 / 256^3 = 0.0636,
    # 834 fibres * 2 ends * 25 pi / 256^3 = 0.0078.
    assert differing_pairs(volume, 0) == pytest.approx(0.0636, rel=0.02)
    assert differing_pairs(volume, 1) == pytest.approx(0.0636, rel=0.02)
    assert differing_pairs(volume, 2) == pytest.approx(0.0078, rel=0.02)


def test_fibre_views_are_planes_of_the_volume() -> None:
    volume = phase("fibres_truth")
    views = {name: phase(f"fibres_{name}") for name in "zyx"}
    assert np.array_equal(views["z"], volume[128])  # rows Y, columns X
    assert np.array_equal(views["y"], volume[:, 128])  # rows Z, columns X
    assert np.array_equal(views["x"], volume[:, :, 128])  # rows Z, columns Y


@pytest.mark.parametrize("shift", [0, 128])
def test_fibres_touch_no_other_one(shift: int) -> None:
    # Shifted by half the edge, the border of the periodic volume lies in its middle.
    volume = np.roll(phase("fibres_truth"), (shift, shift, shift), axis=(0, 1, 2))
    clusters, count = ndimage.label(volume)
    # The largest cluster is one fibre, 25 pi * 64 = 5027 voxels; two would have 10053.
    assert np.bincount(clusters[volume]).max() < 1.1 * 25 * np.pi * 64
    assert count > 834  # the border cuts some in two


@pytest.fixture(scope="module")
def three_phases() -> NDArray[np.uint8]:
    return np.asarray(tifffile.imread(sample_data.path("spheres_truth")))


def test_spheres_have_the_fractions_of_their_formula(
    three_phases: NDArray[np.uint8],
) -> None:
    assert three_phases.shape == (256, 256, 256)
    assert set(np.unique(three_phases)) == {0, 127, 255}
    # Outside of n spheres of volume v: (1 - v / V)^n, v = 4 / 3 pi r^3, V = 256^3.
    volumes = {radius: 4 / 3 * np.pi * radius**3 / 256**3 for radius in (9, 6)}
    outside_small = (1 - volumes[6]) ** 3013
    outside_large = (1 - volumes[9]) ** 4141
    assert outside_small == pytest.approx(0.85, abs=1e-4)
    # Realisations scatter by about 0.5 sqrt(v / V) = 0.007.
    assert (three_phases == 255).mean() == pytest.approx(1 - outside_small, abs=0.007)
    matrix = outside_small * outside_large
    assert matrix == pytest.approx(0.40, abs=1e-4)
    assert (three_phases == 0).mean() == pytest.approx(matrix, abs=0.007)


def test_matrix_between_spheres_has_the_correlation_of_the_boolean_model(
    three_phases: NDArray[np.uint8],
) -> None:
    # Both points of a pair at distance d are outside of all spheres of radius r, number
    # n: exp(-n u / V), u = v (1 + 3 d / 4 r - d^3 / 16 r^3), the union of two spheres.
    matrix = three_phases == 0
    for distance in (2, 6, 12):
        exponent = 0.0
        for radius, number in ((9, 4141), (6, 3013)):
            ratio = min(distance / radius, 2)
            union = 4 / 3 * np.pi * radius**3 * (1 + 3 / 4 * ratio - ratio**3 / 16)
            exponent += number * union / 256**3
        found = (matrix[distance:] & matrix[:-distance]).mean()
        assert found == pytest.approx(np.exp(-exponent), abs=0.007)


def test_spheres_are_as_their_script_makes_them(
    three_phases: NDArray[np.uint8],
) -> None:
    assert np.array_equal(three_phases, spheres.make_volume())
    section = tifffile.imread(sample_data.path("spheres_slice"))
    assert np.array_equal(section, three_phases[201])
