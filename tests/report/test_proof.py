"""Comparison and checks of a generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_slicegan.config import AXES
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.metrics.reference import Sample, reference_of, views_of
from napari_slicegan.metrics.stored_volume import IN_3D
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report.proof import (
    Proof,
    ProofSettings,
    check_diversity,
    check_isotropy,
    check_lattice,
    check_memorisation,
    check_size,
    check_textures,
    examine,
    prove,
)
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.volumes.volume import Volume
from tests.reports import gray, phases
from tests.toys import random_generator

if TYPE_CHECKING:
    from napari_slicegan.metrics.reference import Group, Source

QUICK = ProofSettings(size=40, n_seeds=2, transport=False)


def group(source: Source, volume: Volume) -> Group:
    return reference_of(source, volume, 16).samples


@pytest.fixture(scope="module")
def proof(toy_run: Path) -> Proof:
    images = RunFolder.open(toy_run).images()
    return prove(load_generator(toy_run), images, QUICK)


def test_every_question_is_answered(proof: Proof) -> None:
    assert [check.name for check in proof.checks] == [
        "representativity",
        "isotropy",
        "lattice",
        "sliced_wasserstein",
        "memorisation",
        "diversity",
    ]
    assert all(check.verdict.endswith(".") for check in proof.checks)
    assert proof.volume.values.shape == (40, 40, 40)
    # images of 40 x 48 pixels are too small for a noise floor
    assert proof.verdict.grade == "unknown"
    # Neither NaN nor infinity in JSON.
    text = json.dumps(proof.to_dict(), allow_nan=False)
    facts = json.loads(text)
    assert facts["baseline"]["sentence"] == proof.baseline_sentence
    assert proof.baseline_sentence.startswith("No metric is judged")
    assert facts["settings"] == {
        "size": 40,
        "seed": 1,
        "n_seeds": 2,
        "transport": False,
        "permeability": [],
        "conductivities": [],
        "block_edge": None,
        "transport_seeds": 1,
    }
    assert facts["physics"] is None
    assert len(facts["metrics"]) == len(proof.metrics)


def test_the_same_seed_gives_the_same_proof(proof: Proof, toy_run: Path) -> None:
    """Progress only grows, to 1."""
    images = RunFolder.open(toy_run).images()
    fractions: list[float] = []
    again = prove(load_generator(toy_run), images, QUICK, fractions.append)
    assert again.to_dict() == proof.to_dict()
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_diffusion_is_a_metric_and_an_answer(toy_run: Path) -> None:
    images = RunFolder.open(toy_run).images()
    settings = ProofSettings(size=32, n_seeds=2, transport_seeds=2)
    found = prove(load_generator(toy_run), images, settings)
    row = found.comparison.row("effective_diffusivity", 7, "z")
    assert row.generated is not None
    assert found.physics is not None
    assert found.physics.row("tortuosity_factor", 7, "z").gaussian is not None
    # Of two seeds.
    assert found.physics.row("effective_diffusivity", 7, "z").between_volumes
    assert "effective_diffusivity" in found.baseline_metrics
    (check,) = (one for one in found.checks if one.name == "transport")
    for label in (7, 207):
        values = [
            found.comparison.row("effective_diffusivity", label, axis).generated
            for axis in AXES
        ]
        mean = np.mean([value for value in values if isinstance(value, float)])
        assert check.numbers[f"diffusivity_{label}"] == pytest.approx(mean)


def test_a_gaussian_field_is_the_baseline() -> None:
    """It has the correlation, and not the grains, of images of discs."""
    places = np.random.default_rng(0).random((40, 2)) * 160
    near = np.indices((160, 160)).transpose(1, 2, 0)[:, :, None] - places
    image = ((near**2).sum(axis=-1) < 81).any(axis=-1).astype(np.uint8)
    volume = Volume(phases(48, 48, 48, seed=2) // 10, "phases")
    found = examine([image], volume, QUICK)
    assert found.baseline is not None
    verdicts = found.baseline_metrics
    assert verdicts["phase_fraction"].grade == "agrees"
    assert verdicts["two_point_correlation"].grade == "agrees"
    assert "of the images, of " in found.baseline_sentence
    # Half and half is neither the fraction of the discs nor their correlation.
    assert "phase fraction" in found.baseline_sentence.partition("farther in")[2]
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(facts["baseline"]["metrics"]) == len(verdicts)


def test_gray_values_are_proved_too() -> None:
    trained = random_generator(ScaleMinMax(4000, 6000, 1, "uint16"))
    images = [gray(70, 70, seed=1)]
    found = prove(trained, images, QUICK)
    names = [check.name for check in found.checks]
    others = ["sliced_wasserstein", "memorisation", "diversity"]
    assert names == ["isotropy", "lattice", *others]
    assert found.baseline is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 seeds"):
        ProofSettings(n_seeds=1)
    with pytest.raises(ValueError, match="at least 2 seeds"):
        ProofSettings(size=16)


def test_small_images_are_not_enough() -> None:
    volume = Volume(phases(40, 40, 40, seed=2), "phases")
    small = check_size(group([phases(60, 60, seed=1)], volume), volume)
    large = check_size(group([phases(1000, 1000, seed=1)], volume), volume)
    assert small is not None
    assert large is not None
    assert (small.grade, large.grade) == ("differs", "agrees")
    assert small.verdict.startswith("No: ")
    assert large.verdict.startswith("Yes: from the real images ")


def test_a_real_volume_is_not_called_images() -> None:
    volume = Volume(phases(40, 40, 40, seed=2), "phases")
    samples = (Sample(phases(100, 100, 100, seed=1), IN_3D),)
    found = check_size(samples, volume)
    assert found is not None
    assert found.title == "Is the real volume large enough?"
    assert found.verdict.startswith("Yes: from the real volume ")


def test_layered_images_are_not_isotropic() -> None:
    volume = Volume(phases(60, 60, 60, seed=2), "phases")
    even = check_isotropy(group([phases(120, 120, seed=1)], volume), volume)
    assert even is not None
    assert even.grade == "agrees"
    layered = group([phases(120, 120, seed=1, sigma=(1, 6))], volume)
    found = check_isotropy(layered, volume)
    assert found is not None
    assert found.grade == "differs"
    assert "an image for each direction" in found.verdict
    flat = Volume(phases(60, 60, 60, seed=2, sigma=(1, 4, 4)), "phases")
    found = check_isotropy(group([phases(120, 120, seed=1)], flat), flat)
    assert found is not None
    assert "the generated volume is not" in found.verdict


GRIDS: list[tuple[float, str, str]] = [
    (0, "agrees", "No:"),
    (0.012, "close", "Faintly:"),
    (0.1, "differs", "Yes:"),
]


def test_a_grid_is_found_out(subtests: pytest.Subtests) -> None:
    """Gray values with a checkerboard of this many standard deviations."""
    for strength, grade, answer in GRIDS:
        with subtests.test(strength=strength, grade=grade, answer=answer):
            noise = np.random.default_rng(0).normal(size=(96, 96, 96))
            board = (-1.0) ** np.indices(noise.shape).sum(axis=0)
            values = np.clip(128 + 40 * (noise + strength * board), 0, 255)
            found = check_lattice(Volume(values.astype(np.uint8), "grayscale"))
            assert found is not None
            assert found.grade == grade
            assert found.verdict.startswith(answer)
            assert found.numbers["deviation_2"] == pytest.approx(strength, abs=0.004)
            assert (
                check_lattice(Volume(values[:12].astype(np.uint8), "grayscale")) is None
            )


def test_a_volume_of_copies_is_found_out() -> None:
    image = phases(64, 64, seed=1)
    volume = Volume(np.stack([image] * 64), "phases")
    found = check_memorisation({"z": [image]}, volume)
    assert found is not None
    assert found.grade == "differs"
    assert "32 generated crops are copies" in found.verdict
    fresh = Volume(phases(64, 64, 64, seed=2), "phases")
    found = check_memorisation({"z": [image]}, fresh)
    assert found is not None
    assert found.grade == "agrees"


def test_masks_of_other_labels_are_proved_like_the_same_ones() -> None:
    """0/1 against 0/255; two images of one file have no noise floor of textures."""
    image = (phases(80, 80, seed=1) > 0).astype(np.uint8) * 255
    source = Micrograph(image, "phases")
    values = (phases(48, 48, 48, seed=2) > 0).astype(np.uint8)
    settings = ProofSettings(transport=False)
    same, other = (
        examine(source, Volume(values * factor, "phases"), settings)
        for factor in (255, 1)
    )
    assert other.checks == same.checks
    assert check_textures({"z": [image] * 2}, same.volume) is None


def test_textures_of_the_same_material_are_alike() -> None:
    image = phases(160, 160, seed=1)
    same = Volume(phases(64, 64, 64, seed=2), "phases")
    rough = Volume(phases(64, 64, 64, seed=2, sigma=0.5), "phases")
    found = [check_textures({None: [image]}, volume) for volume in (same, rough)]
    distances = [one.numbers["distance"] for one in found if one is not None]
    floors = [one.numbers["noise_floor"] for one in found if one is not None]
    assert distances[0] is not None
    assert distances[1] is not None
    assert floors[0] is not None
    assert distances[0] < 1.5 * floors[0]
    assert distances[1] > 1.5 * distances[0]


def test_equal_volumes_are_no_diversity() -> None:
    volume = phases(40, 40, 40, seed=1)
    assert check_diversity([volume, volume], (0, 10)).grade == "differs"
    other = phases(40, 40, 40, seed=2)
    assert check_diversity([volume, other], (0, 10)).grade == "agrees"


def test_views_of_a_truth_are_its_planes() -> None:
    truth = Volume(phases(20, 24, 28, seed=1), "phases")
    views = views_of(group(truth, truth), 4)
    shapes = {axis: {image.shape for image in of} for axis, of in views.items()}
    assert shapes == {"z": {(24, 28)}, "y": {(20, 28)}, "x": {(20, 24)}}
