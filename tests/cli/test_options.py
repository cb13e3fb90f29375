"""Every setting is a flag, with its own help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from napari_slicegan.cli.parser import main
from napari_slicegan.config import RunConfig, choices_of, group_of_field
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import toy_set
from tests.toys import phases_image

# Words after the flag, and the value that they mean.
WORDS: dict[str, tuple[str, Any]] = {
    "kind": ("phases", "phases"),
    "segmentation": ("none", "none"),
    "n_phases": ("4", 4),
    "thresholds": ("10 20.5", (10.0, 20.5)),
    "local_window": ("31", 31),
    "destripe": ("none", "none"),
    "denoise": ("none", "none"),
    "denoise_radius": ("2.5", 2.5),
    "crop": ("0 40 4 44", (0, 40, 4, 44)),
    "rescale": ("2", 2.0),
    "pixel_size_nm": ("12.5", 12.5),
    "architecture": ("slicegan-rc", "slicegan-rc"),
    "patch_size": ("32", 32),
    "latent_size": ("5", 5),
    "latent_channels": ("7", 7),
    "generator_widths": ("6 5 4", (6, 5, 4)),
    "generator_kernels": ("6,3,3 4,2,3", ((6, 3, 3), (4, 2, 3))),
    "critic_widths": ("9 8", (9, 8)),
    "critic_negative_slope": ("0.1", 0.1),
    "critic_heads": ("", True),
    "feature_resampling": ("", True),
    "critic_normalisation": ("batch", "batch"),
    "image_kernel": ("7", 7),
    "image_padding": ("torch", "torch"),
    "normalisation": ("none", "none"),
    "augmentation": ("none", "none"),
    "critic_slices": ("none", None),
    "generator_slices": ("3", 3),
    "sliced_wasserstein": ("", True),
    "straight_through": ("", True),
    "objective": ("wgan-gp", "wgan-gp"),
    "penalty_weight": ("10", 10.0),
    "penalty_interval": ("4", 4),
    "critic_steps": ("5", 5),
    "generator_steps": ("3", 3),
    "weight_clip": ("0.02", 0.02),
    "outcomes": ("51", 51),
    "anchors": ("skew-normal", "skew-normal"),
    "anchor_skew": ("0.5", 0.5),
    "real_anchor": ("0 0.25 0.75", (0.0, 0.25, 0.75)),
    "generated_anchor": ("0.75 0.25 0", (0.75, 0.25, 0.0)),
    "realness_form": ("O3", "O3"),
    "update_per_axis": ("", True),
    "generator_optimiser": ("rmsprop", "rmsprop"),
    "critic_optimiser": ("sgd", "sgd"),
    "generator_lr": ("1e-4", 1e-4),
    "critic_lr": ("0.5", 0.5),
    "betas": ("0.5 0.9", (0.5, 0.9)),
    "lr_decay_start": ("1", 1.0),
    "ema_decay": ("0", 0.0),
    "output_lr_scale": ("0.5", 0.5),
    "lookahead": ("3", 3),
    "match_phase_fractions": ("", True),
    "seed": ("17", 17),
    "device": ("cpu", "cpu"),
    "precision": ("bfloat16", "bfloat16"),
    "condition": ("phase_fraction", "phase_fraction"),
    "steps": ("3", 3),
    "epochs": ("12", 12),
    "minutes": ("none", None),
    "patience_minutes": ("0.5", 0.5),
    "generator_batch_size": ("3", 3),
    "critic_batch_size": ("3", 3),
    "share_batch": ("", True),
    "real_batch_size": ("8", 8),
    "threads": ("1", 1),
    "monitor_interval": ("9", 9),
    "checkpoint_minutes": ("0.5", 0.5),
    "keep_checkpoints": ("7", 7),
    "cut_axis": ("y", "y"),
    "max_images": ("90", 90),
    "scaling": ("rows", "rows"),
    "log_offset": ("1e-6", 1e-6),
    "roll": ("30", 30),
    "aligned": ("", True),
    "evaluation_images": ("32", 32),
}


class Started(Exception):
    """Carries the settings that a run would have started with."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config


def settings_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> RunConfig:
    """Settings that ``slicegan train`` with these words starts with."""

    def start(config: RunConfig, *_: object) -> None:
        raise Started(config)

    monkeypatch.setattr(Trainer, "start", start)
    monkeypatch.setattr(Micrograph, "open", lambda *_: phases_image(48, 48))
    monkeypatch.setattr(ImageSet, "open", lambda *_: toy_set())
    with pytest.raises(Started) as caught:
        main(["train", "image.tif", *words])
    return caught.value.config


def test_the_list_of_flags_is_complete() -> None:
    assert set(WORDS) == set(group_of_field())


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_setting_is_a_flag(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The flag changes this setting, to this value, and nothing else."""
    words, value = WORDS[name]
    # Start from another value, so that the flag has something to do.
    before = ["--no-" + name.replace("_", "-")] if value is True else []
    flag = "--" + name.replace("_", "-")
    config = settings_of(monkeypatch, *before, flag, *words.split())
    assert config == preset("slicegan-fast").changed(**{name: value})
    assert getattr(getattr(config, group_of_field()[name]), name) == value


CHOICES = [
    (name, choice)
    for name, group in group_of_field().items()
    for info in [type(getattr(preset("slicegan-fast"), group)).model_fields[name]]
    for choice in choices_of(info)
]


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_every_choice_can_be_made(
    monkeypatch: pytest.MonkeyPatch, name: str, choice: str
) -> None:
    """Also where it is called 'none'."""
    flag = "--" + name.replace("_", "-")
    config = settings_of(monkeypatch, flag, choice)
    assert getattr(getattr(config, group_of_field()[name]), name) == choice


@pytest.mark.parametrize(
    "name", ["critic_heads", "straight_through", "match_phase_fractions", "share_batch"]
)
def test_switches_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    flag = "--no-" + name.replace("_", "-")
    config = settings_of(monkeypatch, flag)
    assert config == preset("slicegan-fast").changed(**{name: False})


def test_help_is_that_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Description, bounds and default of each; nothing is written twice."""
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    # Undo the line breaks, also those after a hyphen.
    text = re.sub(r"\s+", "", capsys.readouterr().out)
    for name, group in group_of_field().items():
        info = type(getattr(preset("slicegan-fast"), group)).model_fields[name]
        assert re.sub(r"\s+", "", info.description or "") in text
        assert "--" + name.replace("_", "-") in text
    assert "Allowed:>=8,<=1024." in text  # patch size


def test_presets_and_files_are_where_settings_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A flag goes before the preset or the file."""
    words = ["--preset", "slicegan-paper", "--critic-steps", "2"]
    config = settings_of(monkeypatch, *words)
    assert config.preset == "slicegan-paper"
    assert config.objective.critic_steps == 2
    assert config.architecture.latent_channels == 64
    file = tmp_path / "mine.json"
    file.write_text('{"training": {"seed": 12, "steps": 3}}')
    config = settings_of(monkeypatch, "--config", str(file), "--seed", "5")
    assert config == preset("slicegan-fast").changed(seed=5, steps=3)
