"""DCGAN for brain slices (OASIS), with layers padded as in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.models.blocks import glorot_uniform
from napari_slicegan.models.network import (
    GeneratorNetwork,
    Output,
    Prior,
    output_layer,
    value_range,
)
from napari_slicegan.models.table import Architecture
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.blocks import ResampledHead
    from napari_slicegan.models.table import CriticOrder

Same = Literal["tensorflow", "torch"]


class SameConvolution(nn.Module):
    """Convolution of n pixels to n / stride, with an odd kernel.

    The padding that this takes cannot be shared out evenly for a stride of 2:
    "tensorflow" puts the larger part to the right and below, as that library's padding
    "same"; "torch" pads (k - 1) / 2 on all sides, which shifts the grid by a pixel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        bias: bool = True,
        same: Same = "tensorflow",
    ) -> None:
        super().__init__()
        before, after = _padding(kernel, stride, same)
        self.padding = (before, after, before, after)
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n] -> [B, C_out, n / stride, n / stride]."""
        made: Tensor = self.convolution(functional.pad(x, self.padding))
        return made


class SameTransposedConvolution(nn.Module):
    """Transposed convolution of n pixels to n * stride; the adjoint of the above."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        bias: bool = False,
        same: Same = "tensorflow",
    ) -> None:
        super().__init__()
        before, _ = _padding(kernel, stride, same)
        self.stride = stride
        # Pixels that are cut off or added at the end.
        extra = stride - kernel + 2 * before
        self.cut = max(-extra, 0)
        self.convolution = nn.ConvTranspose2d(
            inputs, outputs, kernel, stride, before, max(extra, 0), bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n] -> [B, C_out, n * stride, n * stride]."""
        made: Tensor = self.convolution(x)
        rows, columns = (n * self.stride for n in x.shape[2:])
        return made[:, :, :rows, :columns]


class SeededDropout(nn.Module):
    """Dropout whose noise comes from a generator of our own, on the CPU.

    Whoever saves the network saves the generator's state too, so that a resumed run
    drops the same values.
    """

    def __init__(self, share: float, rng: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; in training a share of the values becomes 0, the others grow."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self._rng) >= self.share
        return x * to_device(kept, x.device).to(x.dtype) / (1 - self.share)


class Squared(nn.Module):
    """Numbers in a row as feature maps: [B, C * edge * edge] -> [B, C, edge, edge]."""

    def __init__(self, channels: int, edge: int) -> None:
        super().__init__()
        self.shape = (channels, edge, edge)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C * edge * edge] -> [B, C, edge, edge]."""
        maps: Tensor = x.unflatten(1, self.shape)
        return maps


def _padding(kernel: int, stride: int, same: Same) -> tuple[int, int]:
    """Pixels before and after each row and column."""
    if same == "torch":
        return (kernel - 1) // 2, (kernel - 1) // 2
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


KERNEL = 5
# Keras' default, with which the networks were trained.
EPSILON = 1e-3


@dataclass(frozen=True)
class Table:
    """What is fixed for an image size; the widths are settings.

    Attributes
    ----------
    size
        Edge of the images in pixels.
    slope, critic_slope
        Slope of the rectifiers below zero.
    dropout
        Share of values that the critic drops after each convolution.
    critic_norm
        Whether the critic has batch norm.
    """

    size: int
    slope: float
    critic_slope: float
    dropout: float
    critic_norm: bool = False


TABLES: Mapping[str, Table] = {
    "dcgan-28": Table(28, 0.3, 0.3, 0.3),
    "dcgan-64": Table(64, 0.0, 0.2, 0.3),
    "dcgan-128": Table(128, 0.3, 0.3, 0.3),
    "dcgan-256": Table(256, 0.0, 0.2, 0.2, critic_norm=True),
}


@dataclass(frozen=True)
class ImageSpec:
    """All that is needed to build a generator of images again.

    Attributes
    ----------
    architecture
        Key of the table ``ARCHITECTURES``.
    channels
        1 for gray values, 3 for colour, or the number of phases.
    output
        "signed" (tanh, -1 to 1), "unit" (0 to 1) or "phases" (softmax).
    size
        Edge of the images in pixels.
    latent_channels
        Random numbers of an image.
    widths
        Channels of the first feature maps, then of each layer but the last.
    normalisation
        "batch" or "none" in the hidden layers.
    kernel
        Edge of the kernels in pixels.
    prior
        Law of the latents.
    same
        How images are padded, see `SameConvolution`.
    """

    architecture: str
    channels: int
    output: Output
    size: int
    latent_channels: int
    widths: tuple[int, ...]
    normalisation: Literal["batch", "none"] = "batch"
    kernel: int = KERNEL
    prior: Prior = "normal"
    same: Same = "tensorflow"


class ImageGenerator(GeneratorNetwork):
    """Generator of images of one size.

    [B, C_latent], or [B, C_latent, 1, 1] -> [B, C, size, size].
    """

    starts_dense = True

    def __init__(self, spec: ImageSpec, **blocks: nn.Module) -> None:
        super().__init__(spec, **blocks)
        self.spec: ImageSpec = spec
        self.prior = spec.prior
        self.value_range = value_range(spec.output)

    def entering(self, latents: Tensor) -> Tensor:
        """[B, C_latent, 1, 1] -> [B, C_latent]."""
        return latents.flatten(1)


class ImageCritic(nn.Module):
    """Critic of images: ``layers`` make features, ``head`` scores of them."""

    def __init__(
        self, layers: Sequence[nn.Module], head: nn.Module, outputs: int
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, rows, columns], or points [N, D] -> scores [N, outputs]."""
        scores: Tensor = self.head(self.layers(images).flatten(1))
        return scores


def dense_head(
    features: int, outputs: int, resampling: ResampledHead | None
) -> nn.Module:
    """Fully connected last layer; with resampling it gives means and spreads."""
    if resampling is None:
        return nn.Linear(features, outputs)
    return nn.Sequential(nn.Linear(features, 2 * outputs), resampling)


def first_edge(size: int, n_doublings: int) -> int:
    """Edge of the first feature maps of a generator.

    Raises
    ------
    ValueError
        If the doublings do not lead to the size.
    """
    factor = 1 << n_doublings
    edge = size // factor
    if edge * factor != size or edge < 1:
        raise ValueError(
            f"A generator whose layers double its images {n_doublings} times makes "
            f"multiples of {factor} pixels, got a patch of {size} pixels; change "
            "'Generator widths' or 'Patch size'."
        )
    return edge


def critic_edge(size: int, n_halvings: int) -> int:
    """Edge of the last feature maps of a critic.

    Raises
    ------
    ValueError
        If the images cannot be halved as often.
    """
    factor = 1 << n_halvings
    edge = size // factor
    if edge * factor != size or edge < 1:
        raise ValueError(
            f"A critic with {n_halvings} widths halves its images {n_halvings} times "
            f"and needs multiples of {factor} pixels, got {size} pixels; change "
            "'Critic widths'."
        )
    return edge


def build_dcgan(spec: ImageSpec) -> ImageGenerator:
    """Generator of the table: dense, a layer that keeps the size, then doublings."""
    table = TABLES[spec.architecture]
    if len(spec.widths) < 2:
        raise ValueError(
            f"The architecture '{spec.architecture}' needs at least two generator "
            f"widths, got {len(spec.widths)}; add one to 'Generator widths'."
        )
    inputs = spec.widths[0]
    edge = first_edge(spec.size, len(spec.widths) - 1)
    features = inputs * edge**2
    blocks: dict[str, nn.Module] = {
        "block1": nn.Sequential(
            nn.Linear(spec.latent_channels, features, bias=False),
            _norm(spec, nn.BatchNorm1d, features),
            _rectifier(table.slope),
            Squared(inputs, edge),
        )
    }
    for number, width in enumerate(spec.widths[1:], start=2):
        stride = 1 if number == 2 else 2
        blocks[f"block{number}"] = nn.Sequential(
            SameTransposedConvolution(inputs, width, KERNEL, stride),
            _norm(spec, nn.BatchNorm2d, width),
            _rectifier(table.slope),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Sequential(
        SameTransposedConvolution(inputs, spec.channels, KERNEL, 2),
        output_layer(spec.output),
    )
    return ImageGenerator(spec, **blocks)


def build_dcgan_critic(
    spec: ImageSpec,
    widths: Sequence[int],
    outputs: int,
    resampling: ResampledHead | None,
    rng: torch.Generator,
) -> ImageCritic:
    """Critic of the table: halvings with dropout, then a dense layer.

    Parameters
    ----------
    rng
        Source of the dropout's noise.
    """
    table = TABLES[spec.architecture]
    edge = critic_edge(spec.size, len(widths))
    layers: list[nn.Module] = []
    channels = spec.channels
    for width in widths:
        layers.append(SameConvolution(channels, width, KERNEL, 2))
        if table.critic_norm:
            layers.append(nn.BatchNorm2d(width, eps=EPSILON))
        layers += [nn.LeakyReLU(table.critic_slope), SeededDropout(table.dropout, rng)]
        channels = width
    head = dense_head(channels * edge**2, outputs, resampling)
    return ImageCritic(layers, head, outputs)


def _norm(
    spec: ImageSpec,
    kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d],
    width: int,
) -> nn.Module:
    if spec.normalisation == "none":
        return nn.Identity()
    return kind(width, eps=EPSILON)


def _rectifier(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def image_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> ImageSpec:
    """Spec of a generator of images that the settings ask for."""
    return ImageSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        size=settings.patch_size,
        latent_channels=settings.latent_channels,
        widths=settings.generator_widths,
        normalisation=flat_normalisation(settings),
    )


def flat_normalisation(settings: ArchitectureSettings) -> Literal["batch", "none"]:
    """Normalisation of networks without three axes; refuses that of volumes."""
    if settings.normalisation == "pixel":
        raise ValueError(
            f"'Normalisation' of '{settings.architecture}' is batch or none, got "
            "pixel, which is made for volumes; choose one of the others."
        )
    return settings.normalisation


def _dcgan_critic(order: CriticOrder) -> nn.Module:
    return build_dcgan_critic(
        order.spec,
        order.settings.critic_widths,
        order.outputs,
        order.resampling,
        order.rng,
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    name: Architecture(
        ImageSpec, image_spec, build_dcgan, _dcgan_critic, glorot_uniform, table.size
    )
    for name, table in TABLES.items()
}
