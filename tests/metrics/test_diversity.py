from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.novelty import diversity
from tests.reports import gray, phases


def test_independent_volumes_agree_by_chance_only() -> None:
    volumes = [phases(40, 40, 40, seed=seed, count=3) for seed in range(4)]
    found = diversity(volumes, (0, 10, 20))
    assert abs(found.likeness) < 3 * found.chance
    assert found.chance < 0.05


def test_equal_volumes_are_alike() -> None:
    volume = phases(40, 40, 40, seed=0)
    found = diversity([volume, volume, volume], (0, 10))
    assert found.likeness == pytest.approx(1)
    assert found.likeness > 10 * found.chance
    assert diversity([gray(20, 20, 20, seed=1)] * 2).likeness == pytest.approx(1)


def test_a_share_of_equal_voxels_is_kappa() -> None:
    """Voxels taken from one common volume with probability q: kappa q^2."""
    rng = np.random.default_rng(0)
    common = rng.random((50, 50, 50)) < 0.3
    volumes = [
        np.where(rng.random(common.shape) < 0.4, common, rng.random(common.shape) < 0.3)
        for _ in range(3)
    ]
    assert diversity(volumes, (0, 1)).likeness == pytest.approx(0.16, abs=0.01)


def test_gray_values_by_correlation() -> None:
    volumes = [gray(30, 30, 30, seed=seed).astype(float) for seed in range(2)]
    mixed = [volumes[0], 0.6 * volumes[0] + 0.8 * volumes[1]]
    # independent fields of equal variance: 0.6 / sqrt(0.6^2 + 0.8^2)
    assert diversity(mixed).likeness == pytest.approx(0.6, abs=0.05)


def test_one_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        diversity([np.zeros((4, 4, 4))])
