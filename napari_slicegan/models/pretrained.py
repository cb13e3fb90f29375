"""Pretrained weights: networks of another material to start training from.

A generator that makes one material, and a critic that judges its sections, learn a new
one in a fraction of the steps that random weights need (transfer learning). The file
holds the weights of one run on a micrograph of two phases. The hidden layers serve for
any phases; the layers at the ends depend on their number.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from napari_slicegan.models.generator_file import read_tensors
from napari_slicegan.models.slicegan import (
    GeneratorSpec,
    PlaneCritic,
    VolumeGenerator,
)
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.config import ArchitectureSettings

FILE = Path(__file__).with_name("pretrained.safetensors")
FORMAT = "napari-slicegan pretrained weights 1"
SETTINGS = (
    *("architecture", "latent_channels", "condition", "noise", "normalisation"),
    *("generator_widths", "generator_negative_slope"),
    *("critic_widths", "critic_negative_slope", "feature_resampling"),
)
"""Settings of which the hidden layers are."""


class PretrainedWeights(NamedTuple):
    """Weights of one run.

    Attributes
    ----------
    generator, critic
        Weights by name. The critic's first layer is of two phases, its last one has a
        head for each axis.
    fields
        Fields per phase of the generator.
    settings
        Values of `SETTINGS`.
    origin
        Micrograph, its source and licence, and the training.
    """

    generator: Mapping[str, Tensor]
    critic: Mapping[str, Tensor]
    fields: int
    settings: Mapping[str, object]
    origin: str

    def suit(self, settings: ArchitectureSettings) -> bool:
        """Whether the hidden layers of these settings are those of the weights."""
        ours = settings.model_dump(mode="json")
        return all(ours[name] == value for name, value in self.settings.items())

    def save(self, file: Path) -> None:
        """Write them in half precision; the file is whole or not there."""
        tensors = {
            f"{network}/{name}": _half(value.detach().cpu()).contiguous()
            for network in ("generator", "critic")
            for name, value in getattr(self, network).items()
        }
        facts = {"fields": self.fields, "settings": dict(self.settings)}
        metadata = {
            "format": FORMAT,
            "facts": json.dumps(facts),
            "origin": self.origin,
        }
        with replacing(file) as temporary:
            temporary.write_bytes(save(tensors, metadata))

    @classmethod
    def load(cls, file: Path) -> PretrainedWeights:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is damaged or of another format.
        """
        networks: dict[str, dict[str, Tensor]] = {"generator": {}, "critic": {}}
        metadata, tensors = read_tensors(file, (FORMAT,), "pretrained weights")
        for key, values in tensors.items():
            network, _, name = key.partition("/")
            networks[network][name] = values
        facts = json.loads(metadata["facts"])
        return cls(
            generator=networks["generator"],
            critic=networks["critic"],
            fields=facts["fields"],
            settings=facts["settings"],
            origin=metadata["origin"],
        )


def _half(values: Tensor) -> Tensor:
    return values.half() if values.is_floating_point() else values


@functools.cache
def pretrained_weights() -> PretrainedWeights:
    """The weights that ship with the program."""
    return PretrainedWeights.load(FILE)


def uses_pretrained(settings: ArchitectureSettings) -> bool:
    """Whether networks of these settings start from the weights that ship.

    A run states "random" in its settings where they do not suit.
    """
    return settings.initial_weights != "random" and pretrained_weights().suit(settings)


def start_from_pretrained(
    settings: ArchitectureSettings,
    generator: nn.Module,
    critics: Iterable[nn.Module],
    rng: torch.Generator,
) -> None:
    """Replace the first weights of networks by pretrained ones, if they are to be used.

    Layers at the ends remain as they are where they differ in kind: the generator's
    last one unless it makes two phases of as many fields, the critics' first one of
    gray values and colours, the critics' last one of another patch size or of several
    scores.

    Parameters
    ----------
    generator, critics
        Networks of these settings: one critic, or one for each axis.
    rng
        Source of the groups of phases; see `first_layer`.
    """
    if not (isinstance(generator, VolumeGenerator) and uses_pretrained(settings)):
        return
    weights = pretrained_weights()
    spec = generator.spec
    has_phases = spec.output == "phases"
    theirs = weights.generator
    if not (has_phases and spec.channels == 2 and spec.fields == weights.fields):
        last = f"blocks.block{len(spec.layers)}."
        theirs = {k: v for k, v in theirs.items() if not k.startswith(last)}
    _copy(theirs, generator)
    for axis, critic in enumerate(critics):
        if isinstance(critic, PlaneCritic):
            _start_critic(critic, weights.critic, axis, spec, rng)


def _start_critic(
    critic: PlaneCritic,
    weights: Mapping[str, Tensor],
    axis: int,
    spec: GeneratorSpec,
    rng: torch.Generator,
) -> None:
    """`start_from_pretrained` for one critic, with the head of its axis."""
    own = critic.state_dict()
    first, *hidden, last = (name for name in own if name in weights)
    theirs = {name: weights[name] for name in hidden}
    if spec.output == "phases":
        shape = len(own[first][0]), spec.channels
        theirs[first] = first_layer(weights[first], *shape, rng)
    heads = weights[last]
    if critic.outputs == 1 and own[last].shape[2:] == heads.shape[2:]:
        is_single = critic.heads == 1
        theirs[last] = heads[[axis % len(heads)]] if is_single else heads
    _copy(theirs, critic)


@torch.no_grad()
def _copy(weights: Mapping[str, Tensor], network: nn.Module) -> None:
    """Copy some of the weights; a network without memory has none to take them."""
    own = network.state_dict()
    for name, value in weights.items():
        own[name].copy_(value)


def first_layer(
    weight: Tensor, inputs: int, n_phases: int, rng: torch.Generator
) -> Tensor:
    """First layer of a critic of several phases from that of a critic of two.

    Each filter takes a group of the phases, neither none nor all of them, for the
    second of the two phases and the others for the first. It then sees what it has
    learned to see: two phases and the interface between them.

    Parameters
    ----------
    weight
        [W, 2, k, k].
    inputs
        Channels of the images: the phases of each plane.
    n_phases
        Number of phases; two remain as they were.
    rng
        Source of the groups.

    Returns
    -------
    Tensor
        [W, inputs, k, k].
    """
    groups = torch.arange(2).expand(len(weight), -1)
    if n_phases > 2:
        # Bits of a number other than 0...0 and 1...1.
        shape = (len(weight), 1)
        codes = torch.randint(1, 2**n_phases - 1, shape, generator=rng, device="cpu")
        groups = codes >> torch.arange(n_phases) & 1
    planes = inputs // n_phases
    grouped = weight[torch.arange(len(weight))[:, None], groups]
    return grouped.repeat(1, planes, 1, 1) / planes
