"""A viewer for tests of panels."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    """An empty one, which the proxy refuses to any thread but the main one."""
    return make_napari_viewer_proxy()
