"""Boxes of any shape, cut out of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import Spans, box_values
from tests.toys import random_generator

if TYPE_CHECKING:
    import pytest

BOXES: list[tuple[Spans, str, str]] = [
    (((0, 1), (0, 1), (0, 1)), "", "slicegan"),
    (((13, 14), (3, 30), (5, 27)), "zx", "slicegan"),
    (((3, 30), (31, 32), (0, 24)), "", "slicegan-rc"),
    (((8, 16), (8, 16), (8, 16)), "zx", "slicegan-rc"),
    (((1, 32), (0, 32), (7, 25)), "zx", "slicegan"),
]


def test_a_box_is_a_part_of_the_volume(subtests: pytest.Subtests) -> None:
    for box, periodic, architecture in BOXES:
        with subtests.test(box=box, periodic=periodic, architecture=architecture):
            trained = random_generator(ScaleMinMax(0, 1, 1, "float64"), architecture)
            plan = VolumePlan(trained, (32, 32, 32), 3, periodic)
            whole = generate(trained, (32, 32, 32), 3, periodic).values
            z, y, x = (slice(*span) for span in box)
            np.testing.assert_allclose(box_values(plan, box), whole[z, y, x], atol=1e-5)
            assert whole.std() > 0.05


def test_colours_and_truncation() -> None:
    trained = random_generator(ScaleMinMax(0, 255, 3, "uint8"))
    plan = VolumePlan(trained, (16, 16, 16), 3, truncation=0.5)
    whole = generate(trained, (16, 16, 16), 3, truncation=0.5).values
    made = box_values(plan, ((4, 5), (0, 16), (2, 16)))
    # Rounded to whole numbers: the last digit may tip.
    difference = np.abs(made.astype(int) - whole[4:5, :, 2:])
    assert difference.max() <= 1
    assert made.shape == (1, 16, 14, 3)


def test_far_from_the_origin() -> None:
    """The same latents, a whole number of tiles away."""
    trained = random_generator(OneHotPhases([7, 207]))
    plan = VolumePlan(trained, (2**40,) * 3, 3, tile_latents=4)
    far = 2**36
    tile = plan.tile((far // plan.tile_edges[0], 0, 0))
    expected = plan.values(tile)
    first = tile.target[0].start
    made = box_values(plan, ((first, first + 16), (0, 16), (0, 16)))
    np.testing.assert_array_equal(made, expected)


def test_a_plane_costs_a_fraction_of_its_slab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: one plane against the slab of a latent step, 8 planes."""
    # The counter knows torch's own convolutions only.
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    trained = random_generator(OneHotPhases([7, 207]))
    plan = VolumePlan(trained, (256,) * 3, 3)
    counts = []
    for depth in (1, 8):
        with FlopCounterMode(display=False) as counter:
            box_values(plan, ((64, 64 + depth), (0, 128), (0, 128)))
        counts.append(counter.get_total_flops())
    assert counts[0] < 0.6 * counts[1]
