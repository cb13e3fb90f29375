"""Every architecture plays every game."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from napari_slicegan.architectures import ARCHITECTURES
from napari_slicegan.config import ArchitectureSettings, ObjectiveSettings
from napari_slicegan.image_set import ImageSet
from napari_slicegan.objectives import OBJECTIVES
from napari_slicegan.point_set import nine_gaussians
from napari_slicegan.presets import PRESETS, preset
from napari_slicegan.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.toys import small_config, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.run_data import Data
    from napari_slicegan.training_images import TrainingImages

STEPS = 3


def test_every_setting_has_an_architecture() -> None:
    field = ArchitectureSettings.model_fields["architecture"]
    assert sorted(get_args(field.annotation)) == sorted(ARCHITECTURES)


def test_every_architecture_has_a_preset() -> None:
    used = {config.architecture.architecture for config in PRESETS.values()}
    assert used == set(ARCHITECTURES)


def toy_of_images(architecture: str) -> tuple[RunConfig, Data]:
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
        generator_volumes=4,
        critic_volumes=4,
        steps=STEPS,
    )
    if of.dimensions == 1:
        return config, nine_gaussians()
    return config, ImageSet(ellipses(32, size), "ellipses")


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_with_every_objective(
    architecture: str, objective: str, toy_images: TrainingImages
) -> None:
    config: RunConfig = small_config().changed(architecture=architecture)
    data: Data = toy_images
    if ARCHITECTURES[architecture].dimensions < 3:
        config, data = toy_of_images(architecture)
    trainer = Trainer(config.changed(objective=objective, steps=STEPS), data)
    wanted = ObjectiveSettings().outcomes if objective == "realness" else 1
    assert all(critic.outputs == wanted for critic in trainer.game.critics)
    before = [weight.clone() for weight in trainer.game.generator.parameters()]
    reports = train(trainer)
    assert len(reports) == STEPS
    for report in reports:
        assert math.isfinite(report.critic_loss + report.generator_loss)
    after = trainer.game.generator.parameters()
    assert any((a != b).any() for a, b in zip(after, before, strict=True))


def test_images_of_another_shape_are_refused() -> None:
    values = np.pad(ellipses(4), ((0, 0), (0, 4), (0, 0)))
    with pytest.raises(ValueError, match="expected images of 28 x 28 pixels, got 32"):
        Trainer(preset("oasis-28"), ImageSet(values, "odd"))
