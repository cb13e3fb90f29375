"""The architectures by name; a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from napari_slicegan.models.blocks import (
    ResampledHead,
    fan_in,
    glorot_uniform,
    initialise,
    normal,
)
from napari_slicegan.models.sizes import default_layers
from napari_slicegan.models.slicegan import (
    GeneratorSpec,
    PlaneCritic,
    build_slicegan,
    build_slicegan_rc,
)
from napari_slicegan.systems.dcgan import (
    TABLES,
    ImageSpec,
    build_dcgan,
    build_dcgan_critic,
)
from napari_slicegan.systems.mlp import PointSpec, build_maxout_critic, build_mlp
from napari_slicegan.systems.realness_networks import (
    build_dcgan_relu,
    build_spectral_critic,
)
from napari_slicegan.systems.specgan import build_specgan, build_specgan_critic

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.network import GeneratorNetwork, Output

SpecOf = Callable[["ArchitectureSettings", int, "Output"], Any]


@dataclass(frozen=True)
class CriticOrder:
    """What a critic is built for.

    Attributes
    ----------
    spec
        The generator it plays against.
    settings
        Widths and slope.
    outputs
        Scores for each image.
    heads
        Last layers, one for each axis, or 1.
    rng
        Source of noise in the critic.
    """

    spec: Any
    settings: ArchitectureSettings
    outputs: int
    heads: int
    rng: torch.Generator

    @property
    def resampling(self) -> ResampledHead | None:
        """Noise of the scores, where the settings ask for it."""
        return ResampledHead(self.rng) if self.settings.feature_resampling else None


@dataclass(frozen=True)
class Architecture:
    """How the networks of a kind are made.

    Attributes
    ----------
    spec, spec_of
        Class of the generator's spec, and how the settings become one.
    build, build_critic
        Networks without drawn weights.
    draw
        Law of the first weights.
    size
        The only patch size there is, if so.
    """

    spec: type[Any]
    spec_of: SpecOf
    build: Callable[[Any], GeneratorNetwork]
    build_critic: Callable[[CriticOrder], nn.Module]
    draw: Callable[[nn.Module, torch.Generator], None]
    size: int | None = None


def _volume_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> GeneratorSpec:
    layers = settings.generator_kernels
    return GeneratorSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        latent_channels=settings.latent_channels,
        latent_size=settings.latent_size,
        widths=settings.generator_widths,
        layers=layers or default_layers(len(settings.generator_widths) + 1),
        normalisation=settings.normalisation,
    )


def _suitable_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> GeneratorSpec:
    """With an architecture that suits what is made.

    Each place modulo two has its own weights in a transposed convolution. Where the
    most probable phase is taken, their small differences vanish; in gray values they
    stay, as a checkerboard.
    """
    suitable = "slicegan" if output == "phases" else "slicegan-rc"
    return replace(_volume_spec(settings, channels, output), architecture=suitable)


def _plane_critic(order: CriticOrder) -> PlaneCritic:
    return PlaneCritic(
        order.spec.channels,
        order.settings.critic_widths,
        order.settings.patch_size,
        order.outputs,
        order.settings.critic_negative_slope,
        order.heads,
        order.resampling,
    )


def _image_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> ImageSpec:
    return ImageSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        size=settings.patch_size,
        latent_channels=settings.latent_channels,
        widths=settings.generator_widths,
        normalisation=_flat_normalisation(settings),
    )


def _flat_normalisation(settings: ArchitectureSettings) -> Literal["batch", "none"]:
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


def _spectral_critic(order: CriticOrder) -> nn.Module:
    widths = order.settings.critic_widths
    return build_spectral_critic(order.spec, widths, order.outputs, order.resampling)


def _specgan_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> ImageSpec:
    if settings.image_kernel % 2 == 0:
        raise ValueError(
            f"'Image kernel size' must be odd so that it has a middle, got "
            f"{settings.image_kernel}; use {settings.image_kernel + 1}."
        )
    return replace(
        _image_spec(settings, channels, output),
        kernel=settings.image_kernel,
        prior="uniform",
        same=settings.image_padding,
    )


def _specgan_critic(order: CriticOrder) -> nn.Module:
    return build_specgan_critic(
        order.spec,
        order.settings.critic_widths,
        order.outputs,
        order.resampling,
        order.settings.critic_normalisation,
    )


def _point_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> PointSpec:
    return PointSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        latent_channels=settings.latent_channels,
        widths=settings.generator_widths,
        normalisation=_flat_normalisation(settings),
    )


def _maxout_critic(order: CriticOrder) -> nn.Module:
    widths = order.settings.critic_widths
    return build_maxout_critic(order.spec, widths, order.outputs, order.resampling)


def _slicegan(build: Callable[[GeneratorSpec], GeneratorNetwork]) -> Architecture:
    return Architecture(GeneratorSpec, _volume_spec, build, _plane_critic, initialise)


def _dcgan(size: int) -> Architecture:
    return Architecture(
        ImageSpec, _image_spec, build_dcgan, _dcgan_critic, glorot_uniform, size
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    "auto": replace(_slicegan(build_slicegan), spec_of=_suitable_spec),
    "slicegan": _slicegan(build_slicegan),
    "slicegan-rc": _slicegan(build_slicegan_rc),
    **{name: _dcgan(table.size) for name, table in TABLES.items()},
    "dcgan-relu": Architecture(
        ImageSpec, _image_spec, build_dcgan_relu, _spectral_critic, normal
    ),
    "specgan": Architecture(
        ImageSpec, _specgan_spec, build_specgan, _specgan_critic, glorot_uniform
    ),
    "mlp-toy": Architecture(PointSpec, _point_spec, build_mlp, _maxout_critic, fan_in),
}
