"""Every setting is a flag, with its own help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import sample_data
from napari_slicegan.cli.parser import main
from napari_slicegan.config import MicrographSettings, RunConfig, group_of_field
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import toy_set
from tests.toys import phases_image

# Words after the flag and their value: one row for each kind of setting.
WORDS: dict[str, tuple[str, Any]] = {
    "segmentation": ("none", "none"),
    "n_phases": ("4", 4),
    "thresholds": ("10 20.5", (10.0, 20.5)),
    "crop": ("0 40 4 44", (0, 40, 4, 44)),
    "crop automatically": ("auto", "auto"),
    "generator_kernels": ("6,3,3 4,2,3", ((6, 3, 3), (4, 2, 3))),
    "critic_slices": ("none", None),
    "minutes": ("none", None),
    "generator_lr": ("1e-4", 1e-4),
    "betas": ("0.5 0.9", (0.5, 0.9)),
    "straight_through": ("", True),
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


def test_a_flag_changes_its_setting(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """The flag changes this setting, to this value, and nothing else."""
    for name in sorted(WORDS):
        with subtests.test(name):
            words, value = WORDS[name]
            name = name.split()[0]
            # Start from another value, so that the flag has something to do.
            before = ["--no-" + name.replace("_", "-")] if value is True else []
            flag = "--" + name.replace("_", "-")
            config = settings_of(monkeypatch, *before, flag, *words.split())
            assert config == preset("slicegan-fast").changed(**{name: value})
            assert getattr(getattr(config, group_of_field()[name]), name) == value


def test_a_switch_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings_of(monkeypatch, "--no-critic-heads")
    assert config == preset("slicegan-fast").changed(critic_heads=False)


def test_help_is_that_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Description, bounds and default of each; nothing is written twice."""
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help-all"])
    assert caught.value.code == 0
    # Undo the line breaks, also those after a hyphen.
    text = re.sub(r"\s+", "", capsys.readouterr().out)
    for name, group in group_of_field().items():
        info = type(getattr(preset("slicegan-fast"), group)).model_fields[name]
        assert re.sub(r"\s+", "", info.description or "") in text
        assert "--" + name.replace("_", "-") in text
    assert "Allowed:>=8,<=1024." in text  # patch size
    assert "Default:." not in text  # of an empty one


def test_the_short_help_has_the_common_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    for flag in ("--minutes", "--segmentation", "--cut-axis", "--help-all"):
        assert f"\n  {flag} " in text
    assert "--penalty-interval" not in text
    assert "The optimisers" not in text  # a group of which nothing is shown


def test_a_bundled_generator_is_where_settings_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = settings_of(monkeypatch, "--from", "sample:varied_sandstone")
    spec = load_generator(sample_data.path("varied_sandstone")).network.spec
    assert config.architecture.generator_widths == spec.widths


def test_one_flag_for_the_batch_and_one_for_the_widths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("--preset", "specgan", "--batch-size", "6", "--width-multiplier", "0.125")
    config = settings_of(monkeypatch, *words, "--cut-axis", "z")
    assert config.training.volumes == (6, 6)
    assert config.architecture.generator_widths == (128, 64, 32, 16, 8)
    assert config.architecture.critic_widths == (8, 16, 32, 64, 128)
    assert main(["train", "a.tif", "--width-multiplier", "-1"]) == 2
    clash = ["--batch-size", "6", "--critic-batch-size", "5"]
    assert main(["train", "a.tif", *clash]) == 2


def test_presets_and_files_are_where_settings_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A flag goes before the preset or the file; one without a format is of 0.1.0."""
    words = ["--preset", "slicegan-paper", "--critic-steps", "2"]
    config = settings_of(monkeypatch, *words)
    assert config.preset == "slicegan-paper"
    assert config.objective.critic_steps == 2
    assert config.architecture.latent_channels == 64
    file = tmp_path / "mine.json"
    file.write_text('{"training": {"seed": 12, "steps": 3}}')
    config = settings_of(monkeypatch, "--config", str(file), "--seed", "5")
    of_0_1_0 = {
        "architecture": "auto",
        "noise": False,
        "voxel_noise": "off",
        "fields_per_phase": 1,
        "voxel_stretch": (1, 1, 1),
        "latent_size": 4,
        "generator_widths": (192, 96, 48, 24),
        "generator_negative_slope": 0.0,
        "share_planes": False,
        "initial_weights": "random",
        "penalty_weight": 16.0,
        "pattern_weight": 0.0,
    }
    assert config == preset("slicegan-fast").changed(seed=5, steps=3, **of_0_1_0)


def test_a_flag_empties_a_setting_of_several_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else a file with a header could not be read beside settings for one without."""
    file = tmp_path / "plain.json"
    file.write_text('{"micrograph": {"raw_shape": [4, 4], "raw_type": "int8"}}')
    words = ("--config", str(file), "--raw-shape", "none")
    assert settings_of(monkeypatch, *words).micrograph == MicrographSettings()
