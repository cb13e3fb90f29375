"""Presets, devices, and patch sizes that the networks can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.jobs import Machine
from napari_slicegan._qt.train.settings import TrainSettings
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.config.presets import PRESETS, preset

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt
MACHINE = Machine({"cuda:0": "A100", "cpu": "x86 (8 cores)"}, "PyTorch 2.9, CUDA 12.8")


@pytest.fixture
def settings(qtbot: QtBot) -> TrainSettings:
    settings = TrainSettings()
    qtbot.addWidget(settings)
    return settings


def texts(settings: TrainSettings, name: str) -> list[str]:
    box = getattr(settings, name).box
    return [box.itemText(index) for index in range(box.count())]


@pytest.mark.parametrize(
    ("name", "knows_torch"),
    [("slicegan-v1", False), ("slicegan-fast", True), ("realness-dcgan", True)],
)
def test_a_preset_brings_its_settings(
    settings: TrainSettings, name: str, knows_torch: bool
) -> None:
    if knows_torch:
        settings.set_machine(MACHINE)
    settings.preset.set_value("slicegan-head")
    settings.preset.set_value(name)
    assert settings.value() == PRESETS[name]
    assert settings.summary.text() == PRESETS.summary(name)


def test_a_preset_leaves_the_device_and_the_micrograph_alone(
    settings: TrainSettings,
) -> None:
    micrograph = MicrographSettings(segmentation="otsu")
    settings.set_machine(MACHINE)
    settings.set_micrograph(micrograph)
    settings.device.set_value("cuda:0")
    settings.preset.set_value("slicegan-v1")
    expected = PRESETS["slicegan-v1"].changed(device="cuda:0", segmentation="otsu")
    assert settings.value() == expected


def test_devices_have_their_real_names(settings: TrainSettings) -> None:
    assert texts(settings, "device") == ["Automatic"]
    settings.set_machine(MACHINE)
    assert texts(settings, "device") == ["Automatic: A100", "A100", "x86 (8 cores)"]
    build = "(PyTorch 2.9, CUDA 12.8)"
    assert settings.torch_build.text() == f"Running on A100 {build}"
    settings.device.set_value("cpu")
    assert settings.torch_build.text() == f"Running on the CPU {build}"
    settings.device.set_value("auto")
    assert settings.value().training.device == "auto"


def test_only_possible_patch_sizes_are_offered(settings: TrainSettings) -> None:
    assert texts(settings, "patch") == ["64 pixels"]
    settings.set_machine(MACHINE)
    assert texts(settings, "patch")[:3] == ["32 pixels", "64 pixels", "96 pixels"]
    assert settings.value() == preset("slicegan-fast")


def test_a_patch_size_brings_its_latent_size(settings: TrainSettings) -> None:
    settings.set_machine(MACHINE)
    emitted: list[RunConfig] = []
    settings.value_changed.connect(emitted.append)
    settings.patch.set_value(96)
    # 32 (n - 3) = 96.
    expected = preset("slicegan-fast").changed(patch_size=96, latent_size=6)
    assert settings.value() == expected
    assert emitted == [expected]


def test_a_latent_size_brings_its_patch_size(settings: TrainSettings) -> None:
    settings.set_machine(MACHINE)
    rows = settings.form.parts["architecture"]
    rows.editors["latent_size"].set_value(7)
    assert settings.value() == preset("slicegan-fast").changed(
        patch_size=128, latent_size=7
    )


def test_another_architecture_keeps_the_patch_size(settings: TrainSettings) -> None:
    """Of 64 pixels: from 5 latent positions with filters, from 4 without, and back."""
    settings.set_machine(MACHINE)
    rows = settings.form.parts["architecture"]
    for architecture, latent in (("slicegan", 4), ("slicegan-aa", 5)):
        rows.editors["architecture"].set_value(architecture)
        assert settings.value() == preset("slicegan-fast").changed(
            architecture=architecture, latent_size=latent
        )


def test_other_networks_bring_patch_sizes_of_their_own(settings: TrainSettings) -> None:
    settings.set_machine(MACHINE)
    # Four layers: 16 (n - 3).
    layers = ((4, 2, 2), (4, 2, 2), (4, 2, 2), (4, 2, 3))
    config = preset("slicegan-fast").changed(
        generator_widths=(48, 24, 12), generator_kernels=layers, latent_size=7
    )
    settings.set_value(config)
    assert texts(settings, "patch")[:3] == ["16 pixels", "32 pixels", "48 pixels"]
    # 16 (7 - 3) = 64.
    assert settings.value() == config


def test_an_invalid_setting_is_reported_only_in_place(settings: TrainSettings) -> None:
    """Not by an exception when torch is loaded, or another input is used."""
    widths = settings.form.parts["architecture"].editors["generator_widths"]
    before = widths.value()
    settings.set_machine(MACHINE)
    widths.set_value((7.5,))
    widths.value_changed.emit()
    assert "'Generator widths'" in settings.form.fault
    settings.set_machine(MACHINE)
    settings.patch.set_value(96)
    widths.set_value([float(n) for n in before])
    widths.value_changed.emit()
    assert settings.form.fault == ""


def test_settings_of_another_objective_are_hidden_and_do_not_count(
    settings: TrainSettings,
) -> None:
    rows = settings.form.parts["objective"]
    clip, objective = rows.editors["weight_clip"], rows.editors["objective"]
    assert clip.isHidden()
    objective.set_value("wgan")
    assert not clip.isHidden()
    assert rows.editors["penalty_weight"].isHidden()
    clip.set_value(0.02)
    assert settings.value().objective.weight_clip == 0.02
    objective.set_value("r3gan")
    assert clip.isHidden()
    assert settings.form.fault == ""
    assert settings.value() == preset("slicegan-fast")


def test_settings_of_images_are_hidden_for_volumes(settings: TrainSettings) -> None:
    architecture = settings.form.parts["architecture"].editors
    epochs = settings.form.parts["training"].editors["epochs"]
    assert architecture["image_kernel"].isHidden()
    assert architecture["initialisation"].isHidden()
    assert epochs.isHidden()
    of_volumes = [architecture[name] for name in ("noise", "initial_weights")]
    assert not any(editor.isHidden() for editor in of_volumes)
    settings.preset.set_value("realness-dcgan")
    assert not epochs.isHidden()
    assert all(editor.isHidden() for editor in of_volumes)


def test_points_have_neither_patches_nor_epochs(settings: TrainSettings) -> None:
    hidden = (
        settings.form.first.editors["patch_size"],
        settings.form.parts["training"].editors["epochs"],
    )
    settings.preset.set_value("realness-toy")
    assert all(editor.isHidden() for editor in hidden)
    settings.preset.set_value("realness-dcgan")
    assert not any(editor.isHidden() for editor in hidden)


def test_help_of_an_optional_setting_names_its_check_box(
    settings: TrainSettings,
) -> None:
    tip = settings.form.first.editors["minutes"].toolTip()
    assert "Untick for no limit." in tip
