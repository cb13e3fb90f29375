"""The published settings, value by value."""

from __future__ import annotations

from typing import Any

import pytest

from napari_slicegan.config import check_changes, group_of_field, parse_config
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.models import check_training_size, generator_spec

# What the paper and both states of its code have in common.
COMMON: dict[str, Any] = {
    "patch_size": 64,
    "latent_size": 4,
    "generator_kernels": None,  # {4,2,2} throughout, {4,2,3} last
    "generator_negative_slope": 0.0,
    "critic_widths": (64, 128, 256, 512),
    "critic_negative_slope": 0.0,
    "critic_heads": False,
    "feature_resampling": False,
    "initial_weights": "random",
    "normalisation": "batch",
    "noise": False,
    "voxel_noise": "off",
    "fields_per_phase": 1,
    "voxel_stretch": (1, 1, 1),
    "augmentation": "none",
    "straight_through": False,
    "pair_distance": None,
    "pair_axis": "all",
    # All planes.
    "critic_slices": None,
    "generator_slices": None,
    "objective": "wgan-gp",
    "penalty_weight": 10.0,
    "penalty_interval": 1,
    "pattern_weight": 0.0,
    "critic_steps": 5,
    "generator_steps": 1,
    "update_per_axis": True,
    "generator_optimiser": "adam",
    "critic_optimiser": "adam",
    "generator_lr": 1e-4,
    "critic_lr": 1e-4,
    # Constant learning rates, the last weights as they are.
    "lr_decay_start": 1.0,
    "ema_decay": 0.0,
    "output_lr_scale": 1.0,
    "lookahead": 0,
    "match_phase_fractions": False,
    "critic_batch_size": 8,
    "share_batch": False,
    "share_planes": False,
    "precision": "float32",
    "condition": "none",
    "minutes": None,
}
# Kench & Cooper 2021.
PAPER = {
    **COMMON,
    "architecture": "slicegan",
    "latent_channels": 64,
    "generator_widths": (512, 256, 128, 64),
    "betas": (0.0, 0.9),
    "generator_batch_size": 16,
    "real_batch_size": 8,
}
# The code of the paper's time, commit 439c305: 30 epochs of 28,800 crops in batches of
# 32, a generator step every 5 batches: 30 * 28,800 / 32 / 5 = 5,400.
V1 = {
    **COMMON,
    "architecture": "slicegan",
    "latent_channels": 16,
    "generator_widths": (512, 256, 128, 64),
    "betas": (0.0, 0.9),
    "generator_batch_size": 32,
    "real_batch_size": 32,
    "steps": 5_400,
    "patience_minutes": None,
}
# The code at 58a7ea3 (2022): 100 * 28,800 / 8 / 5 = 72,000.
HEAD = {
    **COMMON,
    "architecture": "slicegan-rc",
    "latent_channels": 32,
    "generator_widths": (1024, 512, 128, 32),
    "betas": (0.9, 0.99),
    "generator_batch_size": 8,
    "real_batch_size": 8,
    "steps": 72_000,
    "patience_minutes": None,
}
PUBLISHED = {"slicegan-paper": PAPER, "slicegan-v1": V1, "slicegan-head": HEAD}


def test_published_values(subtests: pytest.Subtests) -> None:
    for name in PUBLISHED:
        with subtests.test(name):
            config, homes = preset(name), group_of_field()
            found = {
                setting: getattr(getattr(config, homes[setting]), setting)
                for setting in PUBLISHED[name]
            }
            assert found == PUBLISHED[name]


def test_published_values_are_complete() -> None:
    """Every setting that changes the training is pinned above, new ones too."""
    settings = set(group_of_field())
    housekeeping = {
        *type(preset("slicegan-fast").micrograph).model_fields,
        # Of systems of images only.
        *type(preset("slicegan-fast").images).model_fields,
        "sliced_wasserstein",
        *("epochs", "critic_normalisation", "image_kernel", "image_padding"),
        *("initialisation", "latent_distribution", "monitor_minutes"),
        *("seed", "device", "threads", "steps", "patience_minutes"),
        *("monitor_interval", "checkpoint_minutes", "keep_checkpoints"),
    }
    other_objectives = {
        *("weight_clip", "outcomes", "anchors", "anchor_skew", "real_anchor"),
        *("generated_anchor", "realness_form"),
    }
    for values in PUBLISHED.values():
        assert settings - housekeeping - other_objectives - set(values) == set()


def test_the_longer_preset_differs_in_its_length_and_one_weight() -> None:
    """So that a run of the one can go on as one of the other."""
    fast, fine = preset("slicegan-fast"), preset("slicegan-fine")
    assert (fine.training.minutes or 0) > (fast.training.minutes or 0)
    assert 0 < fine.objective.pattern_weight < fast.objective.pattern_weight
    alike = fine.changed(
        minutes=fast.training.minutes, pattern_weight=fast.objective.pattern_weight
    )
    assert alike.model_dump(exclude={"preset"}) == fast.model_dump(exclude={"preset"})
    check_changes(fast, fine)
    with pytest.raises(ValueError, match=r"'Pattern weight'.*cannot be changed"):
        check_changes(fast.changed(pattern_weight=0.0), fast)


def test_the_paper_trains_until_the_metrics_settle() -> None:
    training = preset("slicegan-paper").training
    assert training.patience_minutes is not None
    # The limit of steps is far beyond what the paper needed.
    assert training.steps >= 72_000


def test_presets_are_whole(subtests: pytest.Subtests) -> None:
    """A training volume as large as the patch, a summary, a round trip through JSON."""
    for name in sorted(PRESETS):
        with subtests.test(name):
            config = preset(name)
            assert config.preset == name
            assert PRESETS.summary(name).endswith(".")
            spec = generator_spec(config, 2, "phases")
            if config.architecture.dimensions > 1:
                check_training_size(spec, config.architecture.patch_size)
            assert parse_config(config.model_dump(mode="json")) == config


def test_the_default_is_made_for_small_machines() -> None:
    default = preset("slicegan-fast")
    assert next(iter(PRESETS)) == "slicegan-fast"
    assert default.training.minutes is not None
    assert default.training.minutes <= 5


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no preset 'fast'.*slicegan-fast, "):
        preset("fast")
