"""Names from files are shown as they are: markup in them has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt

from napari_slicegan._qt.micrograph.image_facts import ImageFacts
from napari_slicegan._qt.train.data import TrainData
from napari_slicegan._qt.widgets.generator_source import GeneratorSource
from napari_slicegan._qt.widgets.progress import TaskRow

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QLabel, QWidget

pytestmark = pytest.mark.qt


def test_labels_with_names_of_files_are_plain_text(
    qtbot: QtBot,
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[type[QWidget], list[str]]] = [
        (GeneratorSource, ["facts"]),
        (ImageFacts, ["_size", "_kind", "notes"]),
        (TaskRow, ["words"]),
        (TrainData, ["material"]),
    ]
    for kind, names in cases:
        with subtests.test(str(kind)):
            widget = kind()
            qtbot.addWidget(widget)
            labels: list[QLabel] = [getattr(widget, name) for name in names]
            assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}
