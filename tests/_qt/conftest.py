"""A viewer for tests of panels."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest


@pytest.fixture(scope="session", autouse=True)
def _quick_viewers() -> Iterator[None]:
    """What napari does anew for each viewer and layer takes a tenth of the time.

    It collects garbage whenever a layer is removed, which looks at each object of the
    imported modules too; and it reads the manifests of all installed packages.
    """
    from napari._qt import qt_main_window  # noqa: F401

    import napari_slicegan._qt.main_widget  # noqa: F401

    gc.collect()
    gc.freeze()
    discovered = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda **_: iter(discovered))
        yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_last_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of another test is offered."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "config" / "settings.yaml"))


@pytest.fixture
def viewer_model(qapp: Any, npe2pm: Any) -> Iterator[ViewerModel]:
    """A viewer without a window that knows the readers of napari, and the plugin."""
    with (
        npe2pm.tmp_plugin(package="napari"),
        npe2pm.tmp_plugin(package="napari-slicegan"),
    ):
        yield ViewerModel()


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    """An empty one, which the proxy refuses to any thread but the main one."""
    return make_napari_viewer_proxy()
