"""The notebooks run from their first cell to the last, at toy size.

In this process, not in a kernel. With ``%gui qt`` a kernel of ipykernel 7 may enter the
event loop of Qt with a cell still to execute, and wait there without end: on a busy
machine after some dozens of cells. Nor would pytest show where a kernel hangs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
pytest.importorskip("IPython", reason="IPython is not installed")

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from qtpy.QtWidgets import QApplication

pytestmark = pytest.mark.qt
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


class Shell(InteractiveShell):
    """Runs cells as a kernel does; Qt's events are those of the test."""

    def enable_gui(self, gui: str | None = None) -> None:
        """``%gui``, which needs a kernel or a terminal."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("SLICEGAN_MINUTES", "0.05")
    monkeypatch.setenv("SLICEGAN_EDGE", "48")
    # There is no history to keep, nor a file that others may have locked.
    config = Config({"HistoryManager": {"enabled": False}})
    yield Shell.instance(config=config)
    Shell.clear_instance()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(
            path,
            id=path.stem,
            marks=[] if path.stem == "slicegan" else pytest.mark.slow,
        )
        for path in NOTEBOOKS
    ],
)
def test_a_notebook_runs(
    notebook: Path,
    shell: Any,
    qapp: QApplication,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()
            qapp.processEvents()
        if "HAS_WINDOW:" in "".join(cell["source"]):
            # Also without a display, as on Colab.
            shell.user_ns["HAS_WINDOW"] = False
            shell.run_cell("".join(cell["source"])).raise_error()
            shell.user_ns["HAS_WINDOW"] = True
    # Runs are kept where the notebook runs.
    volumes = sorted(file.parent.name for file in folder.glob("runs/*/volume.tif"))
    kept = {"slicegan": ["bentheimer", "gold"]}.get(notebook.stem, [])
    assert [name.partition("-")[0] for name in volumes] == kept


def test_every_notebook_installs_the_program() -> None:
    """On Colab nothing is installed: the first cell comes before all imports."""
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        assert "".join(first["source"]).endswith("%pip install -q napari-slicegan")
