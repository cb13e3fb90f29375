"""Settings of the game between generator and critic."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_slicegan.config.base import Settings

AnchorLaw = Literal["normal-uniform", "skew-normal", "custom"]
RealnessForm = Literal["O1", "O2", "O3"]
Anchor = tuple[Annotated[float, Field(ge=0)], ...]


class ObjectiveSettings(Settings):
    """The game between generator and critic."""

    objective: Literal[
        "bce", "lsgan", "hinge", "wgan", "realness", "wgan-gp", "r3gan"
    ] = Field(
        "r3gan",
        title="Objective",
        description="'wgan-gp': Wasserstein distance with gradient penalty. 'r3gan': "
        "relativistic pairing with penalties on real and generated images. 'bce' "
        "(DCGAN), 'lsgan', 'hinge': the critic judges each image by itself. 'wgan': "
        "Wasserstein distance with clipped weights. 'realness': the critic answers "
        "with a distribution over outcomes.",
    )
    penalty_weight: float = Field(
        16.0,
        ge=0,
        le=1000,
        title="Penalty weight",
        description="Weight of the gradient penalty; 0 for none. 'wgan' and "
        "'realness' have none.",
    )
    penalty_every: int = Field(
        4,
        ge=1,
        le=100,
        title="Penalty interval",
        description="Critic steps from one gradient penalty to the next.",
    )
    critic_steps: int = Field(
        1,
        ge=1,
        le=100,
        title="Critic steps",
        description="Critic steps for each generator step.",
    )
    generator_steps: int = Field(
        1,
        ge=1,
        le=100,
        title="Generator steps",
        description="Generator steps after the critic steps; all of these together "
        "are one step of the run.",
    )
    weight_clip: float = Field(
        0.01,
        gt=0,
        le=10,
        title="Weight clipping",
        description="Largest size of a weight of the critic, for 'wgan'.",
    )
    outcomes: int = Field(
        10,
        ge=2,
        le=1024,
        title="Outcomes",
        description="Outcomes of realness that the critic tells apart, for 'realness'.",
    )
    anchors: AnchorLaw = Field(
        "normal-uniform",
        title="Anchors",
        description="What the critic is to answer, for 'realness': histograms of a "
        "uniform sample for real and of a normal one for generated images, of two "
        "skew-normal ones, or 'custom'.",
    )
    anchor_skew: float = Field(
        1.0,
        ge=0,
        le=2,
        title="Anchor skew",
        description="How far apart the anchors are moved: by this much on outcomes "
        "from -1 to 1, or five times this as the shape of the skew-normal law.",
    )
    real_anchor: Anchor = Field(
        (),
        title="Anchor, real",
        description="Custom anchor of real images: a share for each outcome.",
    )
    generated_anchor: Anchor = Field(
        (),
        title="Anchor, generated",
        description="Custom anchor of generated images: a share for each outcome.",
    )
    realness_form: RealnessForm = Field(
        "O2",
        title="Realness form",
        description="What the generator of 'realness' aims at: away from the anchor of "
        "generated images (O1), and also towards real images (O2) or the anchor of "
        "real images (O3).",
    )
    update_per_axis: bool = Field(
        False,
        title="Update for each axis",
        description="Isotropic materials: a critic step updates the critic three "
        "times, for each axis in turn, instead of once for all axes. Anisotropic "
        "ones have a critic for each axis in any case.",
    )
