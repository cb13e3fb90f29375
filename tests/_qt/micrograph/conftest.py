"""The Micrograph panel uses only the layers and axes of a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from napari.components import ViewerModel


@pytest.fixture
def viewer(viewer_model: ViewerModel) -> ViewerModel:
    """One without a window, which takes a fifth of the time."""
    return viewer_model
