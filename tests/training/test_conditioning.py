"""Generators conditioned on the phase fraction of each training image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import patch_samplers
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions import condition_direction, guided_directions
from napari_slicegan.generation.generate import generate
from napari_slicegan.models import build_generator, generator_spec
from napari_slicegan.training.adversarial_step import (
    append_label_channel,
    append_random_labels,
    fractions_of,
    scaled_labels,
)
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.refusals import Refusal, assert_all_refused
from tests.toys import phases_image, random_generator, small_config, smooth_field, train


def image(level: float, seed: int = 0) -> Micrograph:
    """Field above a level, in units of its deviation."""
    field = smooth_field(40, 48, seed=seed)
    values = np.where(field > level * field.std(), 255, 0).astype(np.uint8)
    return Micrograph.from_array(values, "phases", None, "varied")


@pytest.fixture(scope="module")
def varied() -> TrainingImages:
    return TrainingImages.isotropic(image(1.0), image(0.0, 1), image(-1.0, 2))


def test_labels_are_the_fractions(varied: TrainingImages) -> None:
    labels = fractions_of(varied)
    expected = [(one.values == 255).mean() for one in varied]
    assert labels == pytest.approx(expected)
    assert np.mean(scaled_labels(labels)) == pytest.approx(0)
    assert np.std(scaled_labels(labels)) == pytest.approx(1)


def test_crops_carry_the_label_of_their_image() -> None:
    """Images of one phase each: the label is the phase."""
    images = TrainingImages.isotropic(
        *(
            Micrograph.from_array(np.where(mask, 255, 0).astype(np.uint8), "phases")
            for mask in (
                np.pad(np.ones((40, 40), bool), ((0, 0), (1, 0))),
                np.pad(
                    np.zeros((30, 60), bool), ((0, 0), (1, 0)), constant_values=True
                ),
            )
        )
    )
    (sampler,) = patch_samplers(
        images, OneHotPhases([0, 255]), 16, "rotations", (5.0, -2.0)
    )
    crops = sampler.sample(60, torch.Generator().manual_seed(0))
    assert crops.shape == (60, 3, 16, 16)
    fractions = crops[:, 1].mean((1, 2))
    labels = crops[:, 2]
    assert torch.equal(labels.amin((1, 2)), labels.amax((1, 2)))
    assert torch.equal(labels[:, 0, 0] == 5, fractions > 0.5)
    assert 0 < (labels[:, 0, 0] == 5).sum() < 60


def test_volumes_carry_the_label_of_their_latents() -> None:
    spec = replace(generator_spec(small_config(), 2, "phases"), labels=(0.1, 0.2, 0.6))
    noise = torch.zeros(50, 4, 2, 2, 2)
    latents = append_random_labels(noise, spec, torch.Generator().manual_seed(0))
    assert latents.shape == (50, 5, 2, 2, 2)
    found = sorted(set(latents[:, 4].flatten().tolist()))
    assert found == pytest.approx(sorted(scaled_labels(spec.labels)))
    judged = append_label_channel(torch.zeros(50, 2, 3, 3, 3), latents)
    assert judged.shape == (50, 3, 3, 3, 3)
    assert torch.equal(judged[:, 2, 0, 0, 0], latents[:, 4, 0, 0, 0])


def test_a_missing_label_is_their_mean() -> None:
    spec = replace(generator_spec(small_config(), 2, "phases"), labels=(0.1, 0.3))
    network = build_generator(spec, torch.Generator().manual_seed(0)).eval()
    noise = torch.randn((1, 4, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mean = network(torch.cat([noise, torch.zeros(1, 1, 4, 4, 4)], dim=1))
        assert torch.equal(network(noise), mean)
        assert torch.equal(dict(network.stages(noise))["block3"], mean)


def test_off_by_default(varied: TrainingImages) -> None:
    trainer = Trainer(small_config(), varied)
    assert trainer.gan.generator.spec.labels == ()
    assert trainer.gan.latents(1).shape[1] == 4


def test_a_conditional_run_can_be_steered(
    varied: TrainingImages, tmp_path: Path
) -> None:
    """Trains, resumes, generates, has a slider; all of it from its files."""
    conditional = small_config().changed(condition="phase_fraction", steps=3)
    reports = train(Trainer.start(conditional, varied, tmp_path / "run"))
    assert all(np.isfinite(report.critic_loss) for report in reports)
    train(Trainer.resume(tmp_path / "run", steps=4))
    trained = RunFolder.open(tmp_path / "run").generator()
    assert trained.network.spec.labels == pytest.approx(fractions_of(varied))
    with torch.no_grad():
        for weight in trained.network.parameters():
            weight.mul_(4)
    slider = condition_direction(trained)
    plain = generate(trained, (16, 16, 16)).values
    low, high = (
        generate(trained, (16, 16, 16), edits=[slider.edit(s)]).values for s in (-9, 9)
    )
    assert (low != high).any()
    same = generate(trained, (16, 16, 16), edits=[slider.edit(0)]).values
    np.testing.assert_array_equal(same, plain)


def test_guided_directions_leave_the_label_alone() -> None:
    plain = random_generator(OneHotPhases([0, 255]))
    spec = replace(plain.network.spec, labels=(0.2, 0.4))
    network = build_generator(spec, torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    trained = replace(plain, network=network)
    (found,) = guided_directions(trained, ["phase_fraction"], n_samples=40)
    assert found.offsets["latent"].shape == (5,)
    assert found.offsets["latent"][4] == pytest.approx(0, abs=1e-12)


def start(*images: Micrograph) -> object:
    config = small_config().changed(condition="phase_fraction")
    return Trainer(config, TrainingImages.isotropic(*images))


def gray() -> Micrograph:
    return Micrograph.from_array(smooth_field(40, 48), "grayscale")


def views() -> object:
    config = small_config().changed(condition="phase_fraction")
    z, y, x = (phases_image(40, 48, seed=seed) for seed in (1, 2, 3))
    return Trainer(config, TrainingImages.anisotropic(z=z, y=y, x=x))


REFUSALS: list[Refusal] = [
    ("one image", lambda _: start(image(0.3)), "fractions differ"),
    ("gray", lambda _: start(gray()), "needs phases"),
    ("views", lambda _: views(), "anisotropic"),
    (
        "unconditional",
        lambda _: condition_direction(random_generator(OneHotPhases([0, 1]))),
        "got an unconditional one",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)
