"""DCGANs for brain slices (OASIS), and common layers of image networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.models.blocks import rectifier
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
    from napari_slicegan.models.table import CriticSpec

Same = Literal["tensorflow", "torch"]


class SameConvolution(nn.Module):
    """Convolution from n to n / stride pixels, with an odd kernel.

    For a stride of 2 the padding cannot be symmetric: "tensorflow" puts the larger part
    to the right and bottom, like that library's padding "same"; "torch" pads by
    (k - 1) / 2 on all sides, which shifts the grid by one pixel.
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
    """Transposed convolution from n to n * stride pixels: adjoint of the above."""

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
        # Pixels added (or cropped, if negative) at the end.
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
    """Dropout with noise from a seeded generator on the CPU.

    Checkpoints must include the generator's state, so that a resumed run drops the same
    values.
    """

    def __init__(self, probability: float, rng: torch.Generator) -> None:
        super().__init__()
        self.probability = probability
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; in training mode, values are dropped and the others rescaled."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self._rng) >= self.probability
        return x * to_device(kept, x.device).to(x.dtype) / (1 - self.probability)


def _padding(kernel: int, stride: int, same: Same) -> tuple[int, int]:
    """Pixels before and after each row and column."""
    if same == "torch":
        return (kernel - 1) // 2, (kernel - 1) // 2
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


KERNEL = 5
EPSILON = 1e-3
"""Epsilon of batch norm: the default of Keras, used for the published networks."""


@dataclass(frozen=True)
class Variant:
    """Parameters of a DCGAN that depend on the image size; the widths are settings.

    The slopes are those of the leaky ReLUs at negative values; the dropout is the
    probability after each convolution of the critic.
    """

    size: int
    slope: float
    critic_slope: float
    dropout: float
    critic_norm: bool = False


VARIANTS: Mapping[str, Variant] = {
    "dcgan-28": Variant(28, 0.3, 0.3, 0.3),
    "dcgan-64": Variant(64, 0.0, 0.2, 0.3),
    "dcgan-128": Variant(128, 0.3, 0.3, 0.3),
    "dcgan-256": Variant(256, 0.0, 0.2, 0.2, critic_norm=True),
}


@dataclass(frozen=True)
class ImageSpec:
    """Parameters from which a generator of images is rebuilt.

    Attributes
    ----------
    channels
        1 for gray values, 3 for colour, or the number of phases.
    output
        "signed" (tanh, -1 to 1), "unit" (0 to 1) or "phases" (softmax).
    size, kernel
        Edge of the images and of the kernels, in pixels.
    widths
        Channels of the first feature maps, then of each layer but the last.
    normalisation
        "batch" or "none" in the hidden layers.
    same
        Padding, see `SameConvolution`.
    initialisation
        Distribution of the first weights, of "specgan".
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
    initialisation: Literal["glorot", "dcgan"] = "glorot"


class ImageGenerator(GeneratorNetwork):
    """Generator of images: [B, C_latent(, 1, 1)] -> [B, C, size, size]."""

    starts_dense = True

    def __init__(self, spec: ImageSpec, **blocks: nn.Module) -> None:
        super().__init__(spec, **blocks)
        self.spec: ImageSpec = spec
        self.prior = spec.prior
        self.value_range = value_range(spec.output)

    def prepare_latents(self, latents: Tensor) -> Tensor:
        """[B, C_latent, 1, 1] -> [B, C_latent]."""
        return latents.flatten(1)


class ImageCritic(nn.Module):
    """Critic of images or points: feature ``layers`` and an output layer ``head``."""

    def __init__(
        self, layers: Sequence[nn.Module], head: nn.Module, outputs: int
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.initialisation: Literal["glorot", "dcgan"] = "glorot"
        self.layers = nn.Sequential(*layers)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, rows, columns], or points [N, D] -> scores [N, outputs]."""
        scores: Tensor = self.head(self.layers(images).flatten(1))
        return scores


def critic_of(
    critic: CriticSpec,
    layers: Sequence[nn.Module],
    features: int,
    linear: Callable[[int, int], nn.Module] = nn.Linear,
) -> ImageCritic:
    """Layers, then a dense one; with resampling, of means and log variances."""
    outputs, resampling = critic.outputs, critic.resampling
    if resampling is None:
        return ImageCritic(layers, linear(features, outputs), outputs)
    head = nn.Sequential(linear(features, 2 * outputs), resampling)
    return ImageCritic(layers, head, outputs)


def halving_critic(
    critic: CriticSpec,
    halving: Callable[[int, int, int], Sequence[nn.Module]],
    linear: Callable[[int, int], nn.Module] = nn.Linear,
) -> ImageCritic:
    """Critic: halvings, one for each width, then a dense layer.

    Parameters
    ----------
    halving
        Layers of a halving, from its number (0, 1, ...), inputs and outputs.
    linear
        Makes the dense layer, from its inputs and outputs.

    Raises
    ------
    ValueError
        If the image size is no multiple of ``2**len(widths)``.
    """
    size, widths = critic.generator.size, critic.settings.critic_widths
    n = len(widths)
    edge = size >> n
    if not edge or edge << n != size:
        raise ValueError(
            f"A critic with {n} widths halves its images {n} times and needs multiples "
            f"of {1 << n} pixels, got {size} pixels; change 'Critic widths'."
        )
    channels = (critic.generator.channels, *widths)
    layers = [
        layer
        for number, (inputs, outputs) in enumerate(itertools.pairwise(channels))
        for layer in halving(number, inputs, outputs)
    ]
    return critic_of(critic, layers, channels[-1] * edge**2, linear)


def first_edge(size: int, n_doublings: int) -> int:
    """Edge of the first feature maps of a generator.

    Raises
    ------
    ValueError
        If the size is no multiple of ``2**n_doublings``.
    """
    edge = size >> n_doublings
    if not edge or edge << n_doublings != size:
        raise ValueError(
            f"A generator whose layers double its images {n_doublings} times makes "
            f"multiples of {1 << n_doublings} pixels, got a patch of {size} pixels; "
            "change 'Generator widths' or 'Patch size'."
        )
    return edge


def normalised(normalisation: str, layer: nn.Module) -> nn.Module:
    """The batch norm, or nothing."""
    return layer if normalisation == "batch" else nn.Identity()


def build_dcgan(spec: ImageSpec) -> ImageGenerator:
    """Generator: a dense layer, a layer of stride 1, then doublings."""
    variant = VARIANTS[spec.architecture]
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
            normalised(spec.normalisation, nn.BatchNorm1d(features, eps=EPSILON)),
            rectifier(variant.slope),
            nn.Unflatten(1, (inputs, edge, edge)),
        )
    }
    for number, width in enumerate(spec.widths[1:], start=2):
        stride = 1 if number == 2 else 2
        blocks[f"block{number}"] = nn.Sequential(
            SameTransposedConvolution(inputs, width, KERNEL, stride),
            normalised(spec.normalisation, nn.BatchNorm2d(width, eps=EPSILON)),
            rectifier(variant.slope),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Sequential(
        SameTransposedConvolution(inputs, spec.channels, KERNEL, 2),
        output_layer(spec.output),
    )
    return ImageGenerator(spec, **blocks)


def build_dcgan_critic(critic: CriticSpec) -> ImageCritic:
    """Critic: halvings with dropout, then a dense layer."""
    variant = VARIANTS[critic.generator.architecture]

    def halving(_: int, inputs: int, width: int) -> Sequence[nn.Module]:
        norm = [nn.BatchNorm2d(width, eps=EPSILON)] if variant.critic_norm else []
        return [
            SameConvolution(inputs, width, KERNEL, 2),
            *norm,
            nn.LeakyReLU(variant.critic_slope),
            SeededDropout(variant.dropout, critic.rng),
        ]

    return halving_critic(critic, halving)


def init_glorot_uniform(network: nn.Module, rng: torch.Generator) -> None:
    """Uniform in +-sqrt(6 / (fan in + fan out)), biases 0; the default of Keras.

    Source: Glorot & Bengio 2010, eq. 16.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight, generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def image_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> ImageSpec:
    """Spec of the generator of images that the settings describe."""
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
    """Normalisation of networks for images or points; "pixel" is refused."""
    if settings.normalisation == "pixel":
        raise ValueError(
            f"'Normalisation' of '{settings.architecture}' is batch or none, got "
            "pixel, which is for volumes only; choose one of the others."
        )
    return settings.normalisation


ARCHITECTURES: Mapping[str, Architecture] = {
    name: Architecture(
        ImageSpec,
        image_spec,
        build_dcgan,
        build_dcgan_critic,
        init_glorot_uniform,
        variant.size,
    )
    for name, variant in VARIANTS.items()
}
