"""Base class of all generators, and their output layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from torch import Tensor, nn

from napari_slicegan.models.blocks import PhaseProbabilities, UnitInterval

if TYPE_CHECKING:
    from napari_slicegan.models.noise import NoiseField

LATENT = "latent"
"""Name of the latents where a block is expected."""
Output = Literal["phases", "unit", "signed", "linear"]
Prior = Literal["normal", "uniform"]
NO_OFFSETS: Mapping[str, Tensor] = MappingProxyType({})


class NetworkSpec(Protocol):
    """What all frozen dataclasses have from which a generator can be rebuilt."""

    @property
    def architecture(self) -> str:
        """Key of the table ``ARCHITECTURES``."""

    @property
    def channels(self) -> int:
        """Channels of a sample."""

    @property
    def output(self) -> Output:
        """Key of the table ``OUTPUTS``."""

    @property
    def latent_channels(self) -> int:
        """Random numbers of a latent position."""


class GeneratorNetwork(nn.Module):
    """A generator: latents in, samples out.

    Attributes
    ----------
    spec
        Frozen dataclass from which the network can be rebuilt; each architecture has
        its own.
    blocks
        Named layers; their outputs can be read and edited, see `stages`.
    prior
        Distribution of the latents: standard normal, or uniform from -1 to 1.
    value_range
        Range of the output: "simplex", "unbounded", or lower and upper bound.
    statistics_batch
        Samples per batch when batch-norm statistics are recomputed.
    starts_dense
        Whether the first block is fully connected, so its output depends on position.
    """

    prior: Prior = "normal"
    value_range: str | tuple[float, float]
    statistics_batch = 32
    starts_dense = False

    def __init__(self, spec: NetworkSpec, **blocks: nn.Module) -> None:
        super().__init__()
        self.spec: Any = spec
        self.blocks = nn.Sequential(OrderedDict(blocks))

    @property
    def training_latents(self) -> tuple[int, ...]:
        """Shape of the latents of one training sample."""
        return (int(self.spec.latent_channels),)

    @property
    def latent_width(self) -> int:
        """Channels of the latents at the first block."""
        return self.training_latents[0]

    @property
    def training_size(self) -> int:
        """Voxels or pixels per axis of a training sample."""
        return int(self.spec.size)

    def prepare_latents(self, latents: Tensor) -> Tensor:
        """Latents in the shape that the first block expects."""
        return latents

    def forward(
        self,
        latents: Tensor,
        *,
        offsets: Mapping[str, Tensor] = NO_OFFSETS,
        logits: bool = False,
    ) -> Tensor:
        """[B, *training_latents] -> samples [B, C, ...].

        Parameters
        ----------
        latents
            Samples of the prior.
        offsets
            See `stages`.
        logits
            Skip the output layer, the last layer of the last block. For a generator of
            phases the result is the logits of the softmax, whose gradient does not
            vanish where a probability is rounded to 0 or 1; compute losses from them
            instead of from logarithms of probabilities.
        """
        samples = latents
        for _, made in self.stages(latents, offsets, logits=logits):
            samples = made
        return samples

    def stages(
        self,
        latents: Tensor,
        offsets: Mapping[str, Tensor] = NO_OFFSETS,
        *,
        logits: bool = False,
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield name and output of each block, first to last.

        Parameters
        ----------
        latents, logits
            See `forward`.
        offsets
            Added to the output of the named block, or to the latents ("latent"): [C],
            the same at every position, or [C, ...] in the shape of the output.
        """
        noise = self.noise(latents)
        made = _with_offset(self.prepare_latents(latents), offsets.get(LATENT))
        *_, last = self.blocks.children()
        for name, block in self.blocks.named_children():
            made = self.run_block(block, made, noise, logits=logits and block is last)
            made = _with_offset(made, offsets.get(name))
            yield name, made

    def noise(self, latents: Tensor) -> NoiseField | None:
        """Noise that the blocks add, as a function of the latents; None without."""
        return None

    def run_block(
        self,
        block: nn.Module,
        x: Tensor,
        noise: NoiseField | None,
        start: Sequence[int] = (0, 0, 0),
        *,
        logits: bool = False,
    ) -> Tensor:
        """Output of a block for its input.

        Parameters
        ----------
        noise, start
            As of `napari_slicegan.models.noise.NoiseInput`.
        logits
            Skip the last layer.
        """
        layers = list(block.children())
        if _takes_noise(block):
            layers = [block]
        elif logits:
            layers = layers[:-1]
        elif not any(map(_takes_noise, layers)):
            # As a whole, so that hooks on blocks are called.
            layers = [block]
        for layer in layers:
            x = layer(x, noise, start) if _takes_noise(layer) else layer(x)
        return x


def _takes_noise(layer: nn.Module) -> bool:
    """Whether a layer is called with noise, as a `NoiseInput`."""
    return getattr(layer, "takes_noise", False)


def _with_offset(made: Tensor, offset: Tensor | None) -> Tensor:
    if offset is None:
        return made
    missing = made.ndim - 1 - offset.ndim
    return made + offset.reshape(*offset.shape, *(1,) * missing)


OUTPUTS: Mapping[Output, tuple[type[nn.Module], str | tuple[float, float]]] = {
    "phases": (PhaseProbabilities, "simplex"),
    "unit": (UnitInterval, (0.0, 1.0)),
    "signed": (nn.Tanh, (-1.0, 1.0)),
    "linear": (nn.Identity, "unbounded"),
}
"""Output layer and value range of each output."""


def output_layer(output: Output) -> nn.Module:
    """Output layer that maps to the range of an output."""
    return OUTPUTS[output][0]()


def value_range(output: Output) -> str | tuple[float, float]:
    """Value range of an output."""
    return OUTPUTS[output][1]


def output_of(values: str | tuple[float, float]) -> Output:
    """Output with a value range, such as that of a transform.

    Raises
    ------
    ValueError
        If no output layer has this range.
    """
    for output, (_, reached) in OUTPUTS.items():
        if reached == values:
            return output
    raise ValueError(
        "Generators produce values from 0 to 1 or from -1 to 1, got the range "
        f"{values}; scale the images to one of these."
    )
