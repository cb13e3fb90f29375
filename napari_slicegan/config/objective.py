"""Settings of the GAN objective."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from napari_slicegan.config.base import Choices, Settings
from napari_slicegan.config.registry import part_names

AnchorDistribution = Literal["normal-uniform", "skew-normal", "custom"]
RealnessForm = Literal["O1", "O2", "O3"]
Anchor = tuple[Annotated[float, Field(ge=0)], ...]


OBJECTIVE_NAMES = ("bce", "lsgan", "hinge", "wgan", "wgan-gp", "r3gan")
"""Objectives of the core; further ones are added with `add_part`."""


class ObjectiveSettings(Settings):
    """The GAN objective of generator and critic."""

    objective: Annotated[
        str,
        AfterValidator(Choices(lambda: (*OBJECTIVE_NAMES, *part_names("objective")))),
    ] = Field(
        "wgan-gp",
        title="Objective",
        description="'wgan-gp': Wasserstein distance with gradient penalty. 'r3gan': "
        "relativistic pairing with penalties on real and generated images. 'bce' "
        "(DCGAN), 'lsgan', 'hinge': the critic judges each image by itself. 'wgan': "
        "Wasserstein distance with clipped weights. 'realness': the critic answers "
        "with a distribution over outcomes.",
    )
    penalty_weight: float = Field(
        10.0,
        ge=0,
        le=1000,
        title="Penalty weight",
        description="Weight of the gradient penalty; 0 for none. 'wgan' and "
        "'realness' have none.",
    )
    penalty_interval: int = Field(
        1,
        ge=1,
        le=100,
        title="Penalty interval",
        description="Critic steps between two gradient penalties (lazy "
        "regularisation).",
    )
    critic_steps: int = Field(
        5,
        ge=1,
        le=100,
        title="Critic steps",
        description="Critic steps per generator step.",
    )
    generator_steps: int = Field(
        1,
        ge=1,
        le=100,
        title="Generator steps",
        description="Generator steps after the critic steps; together they are one "
        "training step.",
    )
    weight_clip: float = Field(
        0.01,
        gt=0,
        le=10,
        title="Weight clipping",
        description="Largest absolute value of a critic weight, for 'wgan'.",
    )
    outcomes: int = Field(
        10,
        ge=2,
        le=1024,
        title="Outcomes",
        description="Number of outcomes of the realness distribution, for 'realness'.",
    )
    anchors: AnchorDistribution = Field(
        "normal-uniform",
        title="Anchors",
        description="Target distributions of the critic, for 'realness': histograms "
        "of a uniform sample for real and a normal one for generated images, of two "
        "skew-normal samples, or 'custom'.",
    )
    anchor_skew: float = Field(
        1.0,
        ge=0,
        le=2,
        title="Anchor skew",
        description="Shift of the anchors away from each other, on outcomes from -1 "
        "to 1; five times this is the shape parameter of the skew-normal "
        "distribution.",
    )
    real_anchor: Anchor = Field(
        (),
        title="Anchor, real",
        description="Custom anchor of real images: one probability per outcome.",
    )
    generated_anchor: Anchor = Field(
        (),
        title="Anchor, generated",
        description="Custom anchor of generated images: one probability per outcome.",
    )
    realness_form: RealnessForm = Field(
        "O2",
        title="Realness objective",
        description="Generator objective of 'realness': away from the anchor of "
        "generated images (O1), and also towards real images (O2) or towards the "
        "anchor of real images (O3).",
    )
    update_per_axis: bool = Field(
        False,
        title="Update per axis",
        description="Isotropic materials: a critic step updates the critic once for "
        "each axis in turn instead of once for all axes. Anisotropic materials always "
        "have one critic per axis.",
    )
