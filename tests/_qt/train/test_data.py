"""Where runs are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtWidgets import QFileDialog, QMenu

from napari_slicegan._qt.train.data import RunLocation, TrainData, default_root
from napari_slicegan.data.training_images import TrainingImages
from tests.toys import phases_image

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def location(qtbot: QtBot) -> RunLocation:
    location = RunLocation()
    qtbot.addWidget(location)
    return location


def test_default_is_shown_and_independent_of_the_working_directory(
    location: RunLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert location.line.text() == str(default_root())
    assert default_root().is_absolute()
    assert tmp_path not in default_root().parents
    location.set_value("")
    assert location.value() == default_root()


def test_tilde_is_expanded(location: RunLocation) -> None:
    location.set_value("~/runs")
    assert location.value() == Path.home() / "runs"


def test_browse_offers_what_a_setting_accepts(
    qtbot: QtBot, location: RunLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are saved in folders; images also come from a table or a volume."""
    table = tmp_path / "images.csv"
    table.write_text("1,2\n")
    folder = str(tmp_path)
    choose = "getExistingDirectory"
    monkeypatch.setattr(QFileDialog, choose, lambda *_: folder)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(table), ""))
    location.browse.click()
    assert location.value() == tmp_path
    data = TrainData()
    qtbot.addWidget(data)
    data.set_dimensions(2)
    for text, path, what in (
        ("Folder...", tmp_path, f"{tmp_path.name}: whole images of the folder"),
        ("File...", table, "images.csv: whole images of the file"),
    ):
        data.folder.browse.click()
        menu = data.folder.browse.findChildren(QMenu)[-1]
        (action,) = (each for each in menu.actions() if each.text() == text)
        action.trigger()
        menu.close()
        assert data.value() == path
        assert data.material.text() == what


def test_a_volume_is_not_cut_into_crops_in_silence(qtbot: QtBot) -> None:
    """Of a system of images; volumes for volumes need no word."""
    data = TrainData()
    qtbot.addWidget(data)
    volume = phases_image(20, 20)
    planes = np.stack([volume.values] * 20)
    data.set_images(TrainingImages.isotropic(volume.with_values(planes, "phases")))
    assert "crops" not in data.material.text()
    data.set_dimensions(2)
    assert data.material.text().endswith("'Cut along' takes them whole.")
