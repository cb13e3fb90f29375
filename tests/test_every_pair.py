"""Architectures train with objectives of all kinds."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_slicegan.config import (
    ArchitectureSettings,
    ObjectiveSettings,
    choices_of,
    dimensions_of,
)
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.models import ARCHITECTURES
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.toys import phases_image, small_config, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import TrainingData

STEPS = 3
# One of each kind; the other sizes are those of "dcgan-28" with more layers.
OF_IMAGES = ("dcgan-28", "dcgan-relu", "specgan")


def test_every_setting_has_an_architecture() -> None:
    field = ArchitectureSettings.model_fields["architecture"]
    assert sorted(choices_of(field)) == sorted(ARCHITECTURES)


def test_every_architecture_has_a_preset() -> None:
    used = {config.architecture.architecture for config in PRESETS.values()}
    # Runs of version 0.1 have "auto".
    assert used | {"auto"} == set(ARCHITECTURES)


def toy_of_images(architecture: str) -> tuple[RunConfig, TrainingData]:
    """As many layers as the preset, but narrow ones."""
    of = ARCHITECTURES[architecture]
    published = next(
        config.architecture
        for config in PRESETS.values()
        if config.architecture.architecture == architecture
    )
    # A size for which the published number of halvings is right.
    size = of.size or published.patch_size
    config = small_image_config(
        architecture=architecture,
        patch_size=size,
        generator_widths=(2,) * len(published.generator_widths),
        critic_widths=(2,) * len(published.critic_widths),
        generator_batch_size=4,
        critic_batch_size=4,
        steps=STEPS,
    )
    if dimensions_of(architecture) == 1:
        return config, nine_gaussians()
    return config, ImageSet(ellipses(32, size), "ellipses")


# Each architecture with one objective after the other, each objective with volumes.
PAIRS = [
    *zip(sorted(ARCHITECTURES), itertools.cycle(sorted(OBJECTIVES)), strict=False),
    *(("slicegan", objective) for objective in sorted(OBJECTIVES)),
]


def test_architectures_train_with_objectives(
    toy_images: TrainingImages,
    subtests: pytest.Subtests,
) -> None:
    for architecture, objective in sorted(set(PAIRS)):
        with subtests.test(f"{architecture}, {objective}"):
            config: RunConfig = small_config().changed(architecture=architecture)
            if architecture == "slicegan-aa":
                config = config.changed(latent_size=5, noise=True)
            data: TrainingData = toy_images
            if dimensions_of(architecture) < 3:
                config, data = toy_of_images(architecture)
            trainer = Trainer(config.changed(objective=objective, steps=STEPS), data)
            wanted = ObjectiveSettings().outcomes if objective == "realness" else 1
            assert all(critic.outputs == wanted for critic in trainer.gan.critics)
            before = [weight.clone() for weight in trainer.gan.generator.parameters()]
            reports = train(trainer)
            assert len(reports) == STEPS
            for report in reports:
                assert math.isfinite(report.critic_loss + report.generator_loss)
            after = trainer.gan.generator.parameters()
            assert any((a != b).any() for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("architecture", "objective"),
    [("slicegan", "r3gan"), ("slicegan-rc", "realness"), ("auto", "wgan-gp")],
)
def test_objectives_judge_three_directions(
    architecture: str, objective: str, toy_views: TrainingImages
) -> None:
    """Anisotropic: a critic for each axis, all with the outputs of the game."""
    changes = {"architecture": architecture, "objective": objective, "steps": STEPS}
    trainer = Trainer(small_config().changed(**changes), toy_views)
    critics = list(trainer.gan.critics)
    assert len(critics) == 3
    assert {critic.outputs for critic in critics} == {trainer.gan.objective.outputs}
    for report in train(trainer):
        assert math.isfinite(report.critic_loss + report.generator_loss)


@pytest.mark.parametrize("architecture", OF_IMAGES)
def test_architectures_of_images_learn_crops_of_phases(architecture: str) -> None:
    """Their generators then end in a softmax of as many channels as phases."""
    config, _ = toy_of_images(architecture)
    size = config.architecture.patch_size
    crops = TrainingImages.isotropic(phases_image(size + 4, size + 4))
    trainer = Trainer(config, crops)
    assert trainer.gan.generator.value_range == "simplex"
    assert trainer.preview().values.shape[1:] == (size, size)
    for report in train(trainer):
        assert math.isfinite(report.critic_loss + report.generator_loss)


def test_images_of_another_shape_are_refused() -> None:
    values = np.pad(ellipses(4), ((0, 0), (0, 4), (0, 0)))
    with pytest.raises(ValueError, match="expected images of 28 x 28 pixels, got 32"):
        Trainer(preset("oasis-28"), ImageSet(values, "odd"))
