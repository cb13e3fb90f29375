"""The networks of SliceGAN: a 3-D generator and a 2-D critic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.config.base import KernelSet  # noqa: TC001 - pydantic reads the fields of GeneratorSpec
from napari_slicegan.models.blocks import (
    AntialiasedConvolution,
    PenalisedConvolution,
    PixelNorm,
    ResizeConvolution,
    SymmetricResizeConvolution,
    TransposedConvolution,
    UnionOfFields,
    rectifier,
)
from napari_slicegan.models.network import (
    GeneratorNetwork,
    Output,
    output_layer,
    value_range,
)
from napari_slicegan.models.noise import NoiseField, NoiseInput
from napari_slicegan.models.sizes import (
    SizeRule,
    chain_rule,
    check_density,
    check_growth,
    default_layers,
)

if TYPE_CHECKING:
    from napari_slicegan.models.blocks import ResampledHead


Upsampling = TransposedConvolution | AntialiasedConvolution | ResizeConvolution


@dataclass(frozen=True)
class GeneratorSpec:
    """Parameters from which a generator of volumes is rebuilt.

    Attributes
    ----------
    architecture
        Key of the table ``ARCHITECTURES``.
    channels
        Channels of the volume: phases, 1 for gray values, 3 for colour.
    output
        "phases" (softmax) or "unit" ([0, 1]).
    layers
        Kernel, stride and padding of the transposed convolutions.
    labels
        Label of each training image (its phase fraction), if the generator is
        conditional; it then has one more latent channel. Otherwise empty.
    noise
        Whether noise is added at every resolution; there is then one more latent
        channel, the key of the noise, which the first block does not see.
    voxel_noise
        Whether noise is also added to the output layer's input: structure that is
        independent in neighbouring voxels. Requires ``noise``.
    fields
        Fields of which each output channel is the largest; see `UnionOfFields`.
    stretch
        Voxels of a finished volume along z, y, x that one voxel of the network becomes.
    negative_slope
        Of the LeakyReLU of the hidden layers; 0 for a ReLU.
    """

    architecture: str
    channels: int
    output: Output
    latent_channels: int
    latent_size: int
    widths: tuple[int, ...]
    layers: tuple[KernelSet, ...]
    normalisation: Literal["batch", "pixel", "none"]
    labels: tuple[float, ...] = ()
    noise: bool = False
    voxel_noise: bool = False
    fields: int = 1
    stretch: tuple[int, int, int] = (1, 1, 1)
    negative_slope: float = 0.0

    @property
    def last_channels(self) -> int:
        """Channels of the last convolution."""
        return self.channels * self.fields

    @property
    def label_channels(self) -> int:
        """Latent channels for the label: 1 or none."""
        return int(bool(self.labels))


class VolumeGenerator(GeneratorNetwork):
    """Generator of volumes, [B, C_latent, z, y, x] -> [B, C, Z, Y, X].

    Its blocks are block1, block2, ...
    """

    # Two volumes have voxels enough for the statistics.
    statistics_batch = 2

    def __init__(
        self, spec: GeneratorSpec, rules: Sequence[SizeRule], **blocks: nn.Module
    ) -> None:
        super().__init__(spec, **blocks)
        self.spec: GeneratorSpec = spec
        self.size_rule = chain_rule(rules)
        self.rules = tuple(rules)
        self.value_range = value_range(spec.output)

    @property
    def field_channels(self) -> int:
        """Random numbers at each latent position, including the key of the noise."""
        return self.spec.latent_channels + int(self.spec.noise)

    @property
    def training_latents(self) -> tuple[int, ...]:
        """[C, l, l, l], including the key of the noise."""
        return (self.field_channels, *(self.spec.latent_size,) * 3)

    @property
    def training_size(self) -> int:
        """Voxels per axis of a training volume."""
        return self.size_rule.output_size(self.spec.latent_size)

    def rules_around(self, n_blocks: int) -> tuple[SizeRule, SizeRule]:
        """Size rules of the first ``n_blocks`` blocks and of the remaining ones."""
        return chain_rule(self.rules[:n_blocks]), chain_rule(self.rules[n_blocks:])

    @property
    def latent_width(self) -> int:
        """Channels of the latents that the first block sees, including the label."""
        return self.spec.latent_channels + self.spec.label_channels

    def noise(self, latents: Tensor) -> NoiseField | None:
        """Noise of the key channel, which follows the latent channels."""
        if not self.spec.noise:
            return None
        n = self.spec.latent_channels
        if latents.shape[1] not in {n + 1, n + 1 + self.spec.label_channels}:
            raise ValueError(
                f"Expected latents of {n + 1} channels, the last one the key of the "
                f"noise, got {latents.shape[1]}; draw as many as 'field_channels' says."
            )
        return NoiseField(latents[:, n])

    def prepare_latents(self, latents: Tensor) -> Tensor:
        """Input of the first block, [B, latent_width, z, y, x].

        Leaves out the key of the noise, and appends the label channel if it is missing,
        with 0, the mean label.
        """
        if self.spec.noise:
            n = self.spec.latent_channels
            latents = torch.cat([latents[:, :n], latents[:, n + 1 :]], dim=1)
        missing = self.latent_width - latents.shape[1]
        if missing == 0:
            return latents
        return functional.pad(latents, (0, 0) * 3 + (0, missing))

    @property
    def makes_planes(self) -> bool:
        """Whether the last block is one that `planes` can compute in part."""
        *_, last = self.blocks.children()
        first = next(last.children(), None)
        return hasattr(first, "planes")

    def features(self, latents: Tensor) -> Tensor:
        """Output of the block before the last, [B, C, z, y, x]."""
        noise = self.noise(latents)
        made = self.prepare_latents(latents)
        for block in list(self.blocks.children())[:-1]:
            made = self.run_block(block, made, noise)
        return made

    def planes(
        self,
        features: Tensor,
        positions: Sequence[Tensor],
        noise: NoiseField | None = None,
        *,
        logits: bool = False,
    ) -> list[Tensor]:
        """Planes of the volumes, computed without the volumes around them.

        Parameters
        ----------
        features
            See `features`.
        positions
            Planes along z, y and x, each [n].
        noise
            See `noise`, of the same latents.
        logits
            See `forward`.

        Returns
        -------
        list of Tensor
            [B, n, C, rows, columns] for each axis: Y, X along z; Z, X along y; Z, Y
            along x.
        """
        *_, last = self.blocks.children()
        parts: list[Any] = list(last.children())
        convolution, *inputs, output = parts
        made: list[Tensor] = convolution.planes(features, positions)
        for each in inputs:
            if noise is not None and isinstance(each, NoiseInput):
                made = [
                    each.on_planes(planes, noise, axis, positions[axis])
                    for axis, planes in enumerate(made)
                ]
            else:
                made = [_on_each_plane(each, planes) for planes in made]
        return made if logits else [_on_each_plane(output, each) for each in made]


def _on_each_plane(layer: nn.Module, planes: Tensor) -> Tensor:
    """[B, n, C_in, rows, columns] -> [B, n, C, rows, columns]."""
    made: Tensor = layer(planes.flatten(0, 1)).unflatten(0, planes.shape[:2])
    return made


class PlaneCritic(nn.Module):
    """Critic of 2-D images: strided convolutions without normalisation.

    It may have several heads, output layers on shared features: one for each axis, so
    that a critic shared by all axes still distinguishes them. With ``resampling`` the
    output layer predicts mean and variance of each score, from which it is sampled.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        patch_size: int,
        outputs: int,
        slope: float,
        heads: int = 1,
        resampling: ResampledHead | None = None,
    ) -> None:
        super().__init__()
        self.outputs, self.heads = outputs, heads
        numbers = outputs * heads if resampling is None else 2 * outputs * heads
        edge = _last_edge(patch_size, len(widths))
        layers: list[nn.Module] = []
        for width in widths:
            layers += [
                PenalisedConvolution(channels, width, 4, stride=2, padding=1),
                rectifier(slope, inplace=True),
            ]
            channels = width
        layers.append(PenalisedConvolution(channels, numbers, edge))
        self.layers = nn.Sequential(*layers)
        self.resampling = resampling or nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, P, P] -> scores [N, outputs].

        With several heads the batch consists of as many equal parts in sequence, each
        of which is scored by its own head.
        """
        scores: Tensor = self.resampling(self.layers(images).flatten(1))
        if self.heads == 1:
            return scores
        # [heads (part), N / heads, heads (scored by), outputs] -> its diagonal
        parts = scores.view(self.heads, -1, self.heads, self.outputs)
        return torch.cat([parts[i, :, i] for i in range(self.heads)])


def build_slicegan(spec: GeneratorSpec) -> VolumeGenerator:
    """Generator of transposed convolutions (Kench & Cooper 2021)."""
    hidden = [TransposedConvolution(*sides) for sides in _hidden_layers(spec)]
    last = TransposedConvolution(spec.widths[-1], spec.last_channels, spec.layers[-1])
    return _assemble(spec, hidden, last)


def build_slicegan_rc(spec: GeneratorSpec) -> VolumeGenerator:
    """Generator whose last layer is a resize-convolution."""
    hidden = [TransposedConvolution(*sides) for sides in _hidden_layers(spec)]
    return _assemble(
        spec, hidden, ResizeConvolution(spec.widths[-1], spec.last_channels)
    )


def build_slicegan_aa(spec: GeneratorSpec) -> VolumeGenerator:
    """Generator with anti-aliasing: statistics depend little on the position.

    A box filter follows each hidden layer, and the last layer is a resize-convolution
    with a symmetric kernel. It is cropped by one more voxel on each side:
    n latent positions become 2^L (n - 3) voxels after L layers.
    """
    if spec.layers != default_layers(len(spec.layers)):
        raise ValueError(
            "The architecture 'slicegan-aa' has kernels of its own, got "
            f"{spec.layers}; leave 'Generator kernels' empty, or choose 'slicegan'."
        )
    sides = [(inputs, outputs) for inputs, outputs, _ in _hidden_layers(spec)]
    hidden = [AntialiasedConvolution(*each) for each in sides]
    last = SymmetricResizeConvolution(spec.widths[-1], spec.last_channels, crop=1)
    return _assemble(spec, hidden, last)


def _hidden_layers(spec: GeneratorSpec) -> list[tuple[int, int, KernelSet]]:
    """Input channels, output channels and kernel of each hidden layer."""
    if len(spec.layers) != len(spec.widths) + 1:
        raise ValueError(
            f"A generator with {len(spec.widths)} widths needs {len(spec.widths) + 1} "
            f"kernels; got {len(spec.layers)}. Adjust 'Generator widths' or 'Generator "
            "kernels'."
        )
    for layer in spec.layers:
        check_density(layer)
    inputs = (spec.latent_channels + spec.label_channels, *spec.widths[:-1])
    return list(zip(inputs, spec.widths, spec.layers[:-1], strict=True))


def _assemble(
    spec: GeneratorSpec, hidden: Sequence[Upsampling], last: Upsampling
) -> VolumeGenerator:
    rules = [layer.size_rule for layer in (*hidden, last)]
    check_growth(rules, spec.latent_size)
    blocks: dict[str, nn.Module] = {}
    for number, (width, layer) in enumerate(
        zip(spec.widths, hidden, strict=True), start=1
    ):
        scale = chain_rule(rules[:number]).scale
        blocks[f"block{number}"] = nn.Sequential(
            layer,
            _normalisation(spec, width),
            *([NoiseInput(width, number, scale)] if spec.noise else []),
            rectifier(spec.negative_slope, inplace=True),
        )
    scale = chain_rule(rules).scale
    blocks[f"block{len(rules)}"] = nn.Sequential(
        last,
        *([UnionOfFields(spec.channels)] if spec.fields > 1 else []),
        *([NoiseInput(spec.channels, len(rules), scale)] if spec.voxel_noise else []),
        output_layer(spec.output),
    )
    return VolumeGenerator(spec, rules, **blocks)


def _normalisation(spec: GeneratorSpec, width: int) -> nn.Module:
    if spec.normalisation == "pixel":
        return PixelNorm()
    if spec.normalisation == "none":
        return nn.Identity()
    return nn.BatchNorm3d(width)


def _last_edge(patch_size: int, n_hidden: int) -> int:
    """Edge of the critic's last feature map."""
    edge = patch_size / 2**n_hidden
    if edge < 1 or edge != math.floor(edge):
        raise ValueError(
            f"A critic with {n_hidden} widths halves its images {n_hidden} times, "
            f"which does not work for a patch of {patch_size} pixels. Change "
            "'Critic widths' or 'Patch size'."
        )
    return int(edge)
