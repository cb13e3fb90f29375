"""Weights to start from: which layers take them, and when none does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models.pretrained import (
    PretrainedWeights,
    first_layer,
    pretrained_weights,
)
from napari_slicegan.training.trainer import Trainer
from tests.toys import completed, phases_image, smooth_field

FAST = preset("slicegan-fast")
SIZE = 72


def several_phases(number: int) -> TrainingImages:
    values = np.argsort(np.argsort(smooth_field(SIZE, SIZE).ravel()))
    labels = (values * number // values.size).reshape(SIZE, SIZE)
    return TrainingImages.isotropic(
        Micrograph.from_array(labels.astype(np.uint8), "phases")
    )


def networks(
    images: TrainingImages, **changes: Any
) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """First weights of the generator and of each critic."""
    gan = Trainer(completed(FAST.changed(**changes)), images).gan
    return gan.generator.state_dict(), [one.state_dict() for one in gan.critics]


def unlike(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> set[str]:
    """Names of weights that differ."""
    return {name for name in own if not torch.equal(own[name], theirs[name])}


@pytest.fixture(scope="module")
def two_phases() -> TrainingImages:
    return TrainingImages.isotropic(phases_image(SIZE, SIZE))


def test_two_phases_take_all_weights(two_phases: TrainingImages) -> None:
    """Whatever the seed, which still tells two runs apart."""
    known = pretrained_weights()
    generator, (critic,) = networks(two_phases, seed=3)
    assert not unlike(generator, known.generator)
    assert not unlike(critic, known.critic)
    one, other = (
        Trainer(completed(FAST.changed(seed=seed)), two_phases).lineage
        for seed in (3, 4)
    )
    assert one != other


def test_the_average_begins_with_them(two_phases: TrainingImages) -> None:
    gan = Trainer(completed(FAST), two_phases).gan
    averaged = gan.averaged.network.state_dict()
    assert not unlike(averaged, pretrained_weights().generator)


@pytest.mark.parametrize(
    "changes",
    [
        {"initial_weights": "random"},
        {"generator_widths": (64, 32, 16, 8)},
        {"critic_widths": (16, 32, 64, 128)},
        {"generator_negative_slope": 0.0},
        {"noise": False, "voxel_noise": "off"},
    ],
)
def test_other_networks_begin_at_random(
    two_phases: TrainingImages, changes: dict[str, Any]
) -> None:
    """Those that they draw from their seed."""
    found = networks(two_phases, **changes)
    drawn = networks(two_phases, **{**changes, "initial_weights": "random"})
    assert not unlike(found[0], drawn[0])
    assert not unlike(found[1][0], drawn[1][0])
    known = pretrained_weights()
    weights = {k: v for k, v in known.generator.items() if "0.weight" in k}
    same = [k for k, v in weights.items() if torch.equal(found[0][k], v)]
    assert same == []


def test_of_three_phases_the_ends_differ() -> None:
    """The generator's last layer is random; each filter sees groups of phases."""
    known = pretrained_weights()
    generator, (critic,) = networks(several_phases(3))
    assert unlike(generator, known.generator) == {"blocks.block5.0.weight"}
    first = next(iter(critic))
    assert unlike(critic, known.critic) == {first}
    n_of_first = 0
    for filters, (dark, bright) in zip(critic[first], known.critic[first], strict=True):
        kinds = [(torch.equal(f, dark), torch.equal(f, bright)) for f in filters]
        assert all(map(any, kinds))
        assert {(True, False), (False, True)} <= set(kinds)
        n_of_first += kinds[0][0]
    assert 0 < n_of_first < len(critic[first])


def test_gray_values_take_the_hidden_layers() -> None:
    values = (smooth_field(SIZE, SIZE) * 1e4).astype(np.int16)
    images = TrainingImages.isotropic(Micrograph.from_array(values, "grayscale"))
    generator, (critic,) = networks(images)
    known = pretrained_weights()
    hidden = {name: v for name, v in generator.items() if "block5" not in name}
    assert len(hidden) == len(known.generator) - 1
    assert not unlike(hidden, known.generator)
    assert unlike(critic, known.critic) == {next(iter(critic))}


def test_each_axis_has_its_own_critic(two_phases: TrainingImages) -> None:
    (image,) = two_phases
    views = TrainingImages.anisotropic(z=image, y=image, x=image)
    known = pretrained_weights().critic
    _, critics = networks(views)
    assert len(critics) == 3
    *hidden, last = known
    for axis, critic in enumerate(critics):
        assert unlike({k: critic[k] for k in hidden}, known) == set()
        assert torch.equal(critic[last], known[last][[axis]])


def test_another_patch_size_has_a_random_last_layer_of_the_critic() -> None:
    images = TrainingImages.isotropic(phases_image(140, 140))
    _, (critic,) = networks(images, patch_size=128, latent_size=7)
    assert unlike(critic, pretrained_weights().critic) == {[*critic][-1]}


def test_pairs_of_planes_share_the_filters() -> None:
    """Two equal planes have the response that one of them had."""
    weight = torch.randn(8, 2, 4, 4)
    rng = torch.Generator().manual_seed(0)
    paired = first_layer(weight, 4, 2, rng)
    assert torch.allclose(paired[:, :2] + paired[:, 2:], weight)


def test_a_file_holds_what_was_saved(tmp_path: Path) -> None:
    known = pretrained_weights()
    file = tmp_path / "weights.safetensors"
    known.save(file)
    again = PretrainedWeights.load(file)
    assert again.settings == known.settings
    assert (again.fields, again.origin) == (known.fields, known.origin)
    assert not unlike(again.generator, known.generator)
    assert not unlike(again.critic, known.critic)
