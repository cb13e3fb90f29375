"""The networks with which RealnessGAN was published (Xiangli et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_slicegan.models.blocks import SpectralConvolution, SpectralLinear, normal
from napari_slicegan.models.network import output_layer
from napari_slicegan.models.table import Architecture
from napari_slicegan.systems.dcgan import (
    ImageCritic,
    ImageGenerator,
    ImageSpec,
    critic_edge,
    first_edge,
    image_spec,
)

if TYPE_CHECKING:
    from napari_slicegan.models.blocks import ResampledHead
    from napari_slicegan.models.table import CriticOrder

FIRST_EDGE = 4
SLOPE = 0.2


class OnePixel(nn.Module):
    """Numbers in a row as an image of one pixel: [B, C] -> [B, C, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C] -> [B, C, 1, 1]."""
        return x[:, :, None, None]


def build_dcgan_relu(spec: ImageSpec) -> ImageGenerator:
    """Generator: 4 x 4 pixels of the first width, then doublings."""
    if first_edge(spec.size, len(spec.widths)) != FIRST_EDGE:
        raise ValueError(
            f"The architecture '{spec.architecture}' with {len(spec.widths)} generator "
            f"widths makes {FIRST_EDGE << len(spec.widths)} pixels, got a patch of "
            f"{spec.size}; change 'Generator widths' or 'Patch size'."
        )
    blocks: dict[str, nn.Module] = {}
    inputs = spec.latent_channels
    for number, width in enumerate(spec.widths, start=1):
        first = number == 1
        stride, padding = (1, 0) if first else (2, 1)
        blocks[f"block{number}"] = nn.Sequential(
            OnePixel() if first else nn.Identity(),
            nn.ConvTranspose2d(inputs, width, 4, stride, padding, bias=False),
            nn.BatchNorm2d(width) if spec.normalisation == "batch" else nn.Identity(),
            nn.ReLU(),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Sequential(
        nn.ConvTranspose2d(inputs, spec.channels, 4, 2, 1, bias=False),
        output_layer(spec.output),
    )
    return ImageGenerator(spec, **blocks)


def build_spectral_critic(
    spec: ImageSpec,
    widths: Sequence[int],
    outputs: int,
    resampling: ResampledHead | None,
) -> ImageCritic:
    """Critic: halvings, then a dense layer, with spectral norm throughout."""
    edge = critic_edge(spec.size, len(widths))
    layers: list[nn.Module] = []
    channels = spec.channels
    for width in widths:
        layers += [SpectralConvolution(channels, width), nn.LeakyReLU(SLOPE)]
        channels = width
    numbers = outputs if resampling is None else 2 * outputs
    last = SpectralLinear(channels * edge**2, numbers)
    head = last if resampling is None else nn.Sequential(last, resampling)
    return ImageCritic(layers, head, outputs)


def _spectral_critic(order: CriticOrder) -> nn.Module:
    widths = order.settings.critic_widths
    return build_spectral_critic(order.spec, widths, order.outputs, order.resampling)


DCGAN_RELU = Architecture(
    ImageSpec, image_spec, build_dcgan_relu, _spectral_critic, normal
)
