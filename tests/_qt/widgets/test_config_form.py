from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtTest import QTest

from napari_slicegan._qt.widgets.config_form import ConfigForm, bounds_of
from napari_slicegan.config import RunConfig, TrainingSettings, group_of_field
from napari_slicegan.config.presets import PRESETS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def form(qtbot: QtBot) -> ConfigForm:
    form = ConfigForm(first=("minutes", "patch_size"))
    qtbot.addWidget(form)
    return form


def test_every_preset_survives_the_form(form: ConfigForm) -> None:
    for config in PRESETS.values():
        form.set_value(config)
        assert form.value() == config


def test_extreme_values_survive(form: ConfigForm) -> None:
    # The largest seed is 2^63 - 1; a rate has more digits than a spin box shows.
    extreme = RunConfig().changed(
        seed=2**63 - 1,
        generator_lr=1.25e-7,
        minutes=None,
        generator_kernels=((4, 2, 2), (6, 3, 1)),
        # The group 'micrograph' has no row in this form; its values are kept.
        thresholds=(1.5, 3.0),
        segmentation="thresholds",
    )
    form.set_value(extreme)
    assert form.value() == extreme


def test_every_setting_has_one_row_with_its_title_and_help(form: ConfigForm) -> None:
    rows = [form.first, *form.parts.values()]
    names = [name for each in rows for name in each.editors]
    # Micrographs have a panel of their own.
    wanted = {n for n, group in group_of_field().items() if group != "micrograph"}
    assert sorted(names) == sorted(wanted)
    facts = TrainingSettings.model_fields["monitor_interval"]
    editor = form.parts["training"].editors["monitor_interval"]
    assert str(facts.description) in editor.toolTip()


def test_bounds_are_those_of_the_field() -> None:
    fields = TrainingSettings.model_fields
    assert bounds_of(fields["threads"], 1) == (1, 1024)
    # 0 <= seed < 2^63
    assert bounds_of(fields["seed"], 1) == (0, 2**63 - 1)
    # checkpoint_minutes > 0
    assert bounds_of(fields["checkpoint_minutes"], 0.5) == (0.5, None)


def test_a_change_sends_the_new_settings(form: ConfigForm, qtbot: QtBot) -> None:
    with qtbot.waitSignal(form.value_changed) as sent:
        form.first.editors["patch_size"].set_value(32)
    assert sent.args == [RunConfig().changed(patch_size=32)]


def test_an_invalid_value_is_reported_in_place(form: ConfigForm, qtbot: QtBot) -> None:
    """Below its input, in the section that holds it, until what is typed is allowed."""
    form.show()
    rows = form.parts["training"]
    device = rows.editors["device"]
    with qtbot.assertNotEmitted(form.value_changed):
        device.set_value("gpu")
        device.value_changed.emit()
    assert "'Device' (device)" in form.fault
    assert rows.message.isVisible()
    assert "'Device':" in rows.message.text()
    assert 0 < rows.message.y() - device.y() < 3 * device.height()
    assert "border" in device.main.styleSheet()
    with pytest.raises(ValueError, match="'Device'"):
        form.value()
    device.main.clear()  # type: ignore[attr-defined]
    with qtbot.waitSignal(form.value_changed):
        QTest.keyClicks(device.main, "cpu")
    assert form.fault == rows.message.text() == device.main.styleSheet() == ""


def test_what_names_no_input_is_said_at_the_end(
    form: ConfigForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: RunConfig, **changes: object) -> RunConfig:
        raise ValueError("Expected another combination.")

    monkeypatch.setattr(RunConfig, "changed", refuse)
    form.first.value_changed.emit()
    assert form.message.text() == form.fault == "Expected another combination."
