"""Layers whose output is as large as the stride says, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.systems.dcgan import (
    Same,
    SameConvolution,
    SameTransposedConvolution,
)

CASES = [(3, 2), (5, 2), (7, 2), (5, 1)]


def correlated(
    image: NDArray[Any], kernel: NDArray[Any], stride: int, before: int
) -> NDArray[Any]:
    """Output pixel i sees k pixels from i * stride - before on, zeros outside."""
    size, k = len(image), len(kernel)
    padded = np.zeros((size + 2 * k, size + 2 * k))
    padded[k : k + size, k : k + size] = image
    starts = [k - before + i * stride for i in range(size // stride)]
    windows = [[padded[r : r + k, c : c + k] for c in starts] for r in starts]
    return np.asarray(np.einsum("rcij,ij->rc", np.array(windows), kernel))


def inserted(
    image: NDArray[Any], kernel: NDArray[Any], stride: int, before: int
) -> NDArray[Any]:
    """Every pixel adds a kernel at its place times the stride; the rim is cut off."""
    size, k = len(image), len(kernel)
    whole = np.zeros((size * stride + 2 * k, size * stride + 2 * k))
    for row in range(size):
        for column in range(size):
            y, x = row * stride, column * stride
            whole[y : y + k, x : x + k] += image[row, column] * kernel
    return whole[before : before + size * stride, before : before + size * stride]


PADDINGS: tuple[Same, ...] = ("tensorflow", "torch")


def padding_before(kernel: int, stride: int, same: Same) -> int:
    """TensorFlow's "same" puts the smaller half of k - stride first."""
    return (kernel - 1) // 2 if same == "torch" else (kernel - stride) // 2


def test_convolution() -> None:
    for same in PADDINGS:
        for kernel, stride in CASES:
            image = np.random.default_rng(0).standard_normal((8, 8))
            layer = SameConvolution(1, 1, kernel, stride, bias=False, same=same)
            made = layer(torch.from_numpy(image[None, None]).float())
            taps = layer.convolution.weight[0, 0].detach().numpy()
            before = padding_before(kernel, stride, same)
            expected = correlated(image, taps, stride, before)
            np.testing.assert_allclose(made[0, 0].detach(), expected, atol=1e-5)


def test_transposed_convolution() -> None:
    for same in PADDINGS:
        for kernel, stride in CASES:
            image = np.random.default_rng(0).standard_normal((5, 5))
            layer = SameTransposedConvolution(1, 1, kernel, stride, same=same)
            made = layer(torch.from_numpy(image[None, None]).float())
            taps = layer.convolution.weight[0, 0].detach().numpy()
            before = padding_before(kernel, stride, same)
            expected = inserted(image, taps, stride, before)
            np.testing.assert_allclose(made[0, 0].detach(), expected, atol=1e-5)


def test_torch_s_padding_shifts_the_grid_by_a_pixel() -> None:
    """Kernel 5, stride 2: (1, 2) pixels around for TensorFlow, (2, 2) for torch."""
    theirs = SameConvolution(1, 1, 5, 2, bias=False)
    ours = SameConvolution(1, 1, 5, 2, bias=False, same="torch")
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn((1, 1, 12, 12), generator=torch.Generator().manual_seed(0))
    shifted = torch.roll(image, (-1, -1), dims=(2, 3))
    inner = (..., slice(2, -2), slice(2, -2))
    assert not torch.allclose(ours(image)[inner], theirs(image)[inner])
    torch.testing.assert_close(ours(shifted)[inner], theirs(image)[inner])
