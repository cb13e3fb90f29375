from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.metrics.transport import effective_diffusivity, tortuosity_factor

solved = pytest.mark.skipif(
    importlib.util.find_spec("taufactor") is None, reason="taufactor not installed"
)


def layers(edge: int = 16) -> NDArray[np.bool_]:
    """Layers across z, half of them open."""
    return np.broadcast_to(
        (np.arange(edge) // 4 % 2 == 0)[:, None, None], (edge, edge, edge)
    )


@solved
def test_straight_channels_have_no_tortuosity() -> None:
    open_layers = layers()
    for axis in (1, 2):
        diffusivity = effective_diffusivity(open_layers, axis)
        # D_eff / D_0 is the share of open layers
        assert diffusivity == pytest.approx(0.5, abs=0.01)
        assert tortuosity_factor(0.5, diffusivity) == pytest.approx(1, abs=0.02)


@solved
def test_closed_layers_let_nothing_through() -> None:
    assert effective_diffusivity(layers(), 0) == 0
    assert tortuosity_factor(0.5, 0) == math.inf


def test_without_taufactor_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"taufactor.*napari-slicegan\[metrics\]"):
        effective_diffusivity(layers(), 1)
