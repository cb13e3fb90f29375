"""Operations and memory of a step, counted on torch's meta device."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_slicegan.models.blocks import TransposedConvolution
from napari_slicegan.models.cost import META, CostCounter


def test_operations_are_those_of_the_convolutions_forward_and_backward() -> None:
    """2 B C_in C_out k^3 n^3 for each of the three products, within 2 %.

    The wide layer is computed as a transposed convolution, the narrow one as an
    ordinary one on 7^3 positions; torch's own counter gives the same number.
    """
    batch, n = 2, 6
    for outputs, positions in ((40, n**3), (3, (n - 1) ** 3)):
        with META:
            layer = TransposedConvolution(5, outputs, (4, 2, 2))
            x = torch.empty(batch, 5, n, n, n, requires_grad=True)
        with CostCounter() as counter:
            layer(x).sum().backward()
        forward = 2 * batch * 5 * outputs * 4**3 * positions
        assert counter.take().operations == pytest.approx(3 * forward, rel=0.02)
        with FlopCounterMode(display=False) as flops:
            layer(x).sum().backward()
        assert flops.get_total_flops() == pytest.approx(3 * forward, rel=0.02)


def test_memory_is_the_peak_of_live_tensors() -> None:
    """Views share a storage; freed tensors no longer count, the peak stays."""
    with CostCounter() as counter:
        first = torch.empty(1000, device=META)
        view = first.view(10, 100)
        second = torch.empty(500, device=META)
        assert counter.bytes == 6000
        del first, second
        assert counter.bytes == 4000
        del view
        third = torch.empty(10, device=META)
        assert counter.bytes == third.nbytes
    assert counter.take().memory_bytes == 6000
