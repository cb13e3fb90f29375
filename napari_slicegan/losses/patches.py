"""Distributions of small patches: a loss of the generator for gray values and colours.

Sections of a volume look like the micrograph if their patches are distributed alike at
every scale. The distributions are compared by their projections on the waves of the
discrete cosine transform, one by one (sliced Wasserstein distance; Heitz et al. 2021,
arXiv:2006.07229; Elnekave & Weiss 2022, arXiv:2203.11862). Critics with strided
convolutions hardly see the finest of these waves.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.losses.averages import AveragedStatistics

PATCH = 5
"""Pixels per edge of a patch."""
MAX_SCALES = 3
"""Each has half the resolution of the one before."""
N_QUANTILES = 65
N_VALUES = 512
"""Projections, of each wave, whose quantiles are taken in a step."""
WEIGHT = 0.2
"""So that the same setting suits patterns of phases and patches."""
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def waves(channels: int) -> Tensor:
    """Orthonormal waves of the discrete cosine transform, each of one channel.

    Returns
    -------
    [25 * C, C, 5, 5].
    """
    places = torch.pi / PATCH * (torch.arange(PATCH) + 0.5)
    lines = torch.cos(torch.outer(torch.arange(PATCH), places))
    lines /= lines.norm(dim=1, keepdim=True)
    planes = torch.einsum("ay,bx->abyx", lines, lines).flatten(0, 1)
    found = torch.einsum("kyx,cd->ckdyx", planes, torch.eye(channels))
    return found.flatten(0, 1)


class PatchLoss(AveragedStatistics):
    """Difference of the patches of generated and real images.

    On each wave the optimal transport moves a generated value to the real one of the
    same rank. The quantiles are averages over steps, and the loss is linear in the
    images of a step.

    Parameters
    ----------
    parts
        Groups of images with averages of their own, such as those of an axis.
    channels
        Channels of an image C: gray values have one.
    edge
        Pixels per edge of the images.
    over_processes
        Mean of a tensor over the processes that each make a part of a batch.
    share_images
        Whether all groups have the same real images, as the axes of an isotropic
        material.
    """

    waves: Tensor
    blur: Tensor

    def __init__(
        self,
        parts: int,
        channels: int,
        edge: int,
        over_processes: Callable[[Tensor], Tensor] = lambda values: values,
        *,
        share_images: bool = False,
    ) -> None:
        n_scales = 1
        while n_scales < MAX_SCALES and (edge - 3) // 2 >= 2 * PATCH:
            edge = (edge - 3) // 2
            n_scales += 1
        found, groups = waves(channels), (parts, channels, over_processes)
        shape = n_scales, len(found), N_QUANTILES
        super().__init__(shape, *groups, share_images=share_images)
        self._n_scales = n_scales
        self.register_buffer("waves", found, persistent=False)
        line = torch.tensor(BINOMIAL)
        blur = torch.outer(line, line).expand(channels, 1, -1, -1).contiguous()
        self.register_buffer("blur", blur, persistent=False)

    def forward(self, real: list[Tensor], generated: list[Tensor]) -> Tensor:
        """Loss of one step, a scalar; each list holds [N, C, P, P] for each part."""
        projected = [self._projections(images) for images in generated]
        with torch.no_grad():
            together = [torch.cat(real)] if self._share_images else real
            n_values = [min(values.shape[1], N_VALUES) for values in projected[0]]
            of_real, of_generated = (
                torch.stack([_quantiles(each, n_values) for each in projections])
                for projections in ([*map(self._projections, together)], projected)
            )
            self.take_step(of_real, of_generated)
            spread = self.real.std(dim=-1, keepdim=True) + 1e-6
            shift = ((self.generated - self.real) / spread).clamp(-1, 1) / spread
        terms = []
        for part, of_scales in enumerate(projected):
            for scale, values in enumerate(of_scales):
                with torch.no_grad():
                    quantiles = self.generated[part, scale].contiguous()
                    ranks = torch.searchsorted(quantiles, values)
                    ranks.clamp_(max=N_QUANTILES - 1)
                    moves = shift[part, scale].gather(1, ranks)
                linear = (values * moves).mean()
                terms.append(linear - linear.detach())
        value = (shift * (self.generated - self.real)).mean() / 2
        return WEIGHT * len(self.waves) * (torch.stack(terms).mean() + value)

    def _projections(self, images: Tensor) -> list[Tensor]:
        """Projections of the patches of each scale on all waves, [K, n] each.

        About as many of each scale, from places that change with the steps.
        """
        found = []
        level = images
        for scale in range(self._n_scales):
            if scale:
                level = functional.conv2d(level, self.blur, groups=self.channels)
                level = level[..., ::2, ::2]
            stride = 2 ** (MAX_SCALES - 1 - scale)
            chosen = level
            for axis, every in ((2, 1), (3, stride)):
                n_places = level.shape[axis] - stride + 1
                places = torch.arange(n_places, device=level.device)
                offset = (self.steps // every % stride).long()
                chosen = chosen.index_select(axis, places + offset)
            made = functional.conv2d(chosen, self.waves, stride=stride)
            found.append(made.transpose(0, 1).flatten(1))
        return found


def _quantiles(projections: list[Tensor], n_values: list[int]) -> Tensor:
    """Quantiles of evenly chosen values of each scale and wave, [S, K, N_QUANTILES]."""
    found = []
    for values, n in zip(projections, n_values, strict=True):
        device = values.device
        chosen = torch.linspace(0, values.shape[1] - 1, n, device=device).long()
        ordered = values[:, chosen].sort(dim=1).values
        ranks = (torch.arange(N_QUANTILES, device=device) + 0.5) * (n / N_QUANTILES)
        found.append(ordered[:, ranks.long()])
    return torch.stack(found)
