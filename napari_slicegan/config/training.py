"""Settings of the training: objective, optimisers, length and batch sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from napari_slicegan.config.base import Choices, Settings
from napari_slicegan.config.registry import part_names

RealnessForm = Literal["O1", "O2", "O3"]
Anchor = tuple[Annotated[float, Field(ge=0)], ...]
OptimiserName = Literal["adam", "rmsprop", "sgd"]
Precision = Literal["auto", "float32", "bfloat16"]
VOLUMES = 2
"""Default batch size, in volumes."""
OBJECTIVE_NAMES = ("bce", "lsgan", "hinge", "wgan", "wgan-gp", "r3gan")
"""Objectives of the core; further ones are added with `add_part`."""
OF_OBJECTIVE = {
    "weight_clip": "wgan",
    **dict.fromkeys(
        (
            "outcomes",
            "anchors",
            "anchor_skew",
            "real_anchor",
            "generated_anchor",
            "realness_form",
        ),
        "realness",
    ),
}
"""Settings that only one objective uses; further objectives may use them, too."""


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
    pattern_weight: float = Field(
        0.0,
        ge=0,
        le=100,
        title="Pattern weight",
        description="Weight of local patterns in the generator's loss, of which a "
        "critic sees little. Phases with straight-through gradients: shares of 2x2 "
        "pixels with one, two or three pixels of a phase, and of isolated pixels. Gray "
        "values and colours: distributions of patches at three scales. 0 for none.",
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
    anchors: Literal["normal-uniform", "skew-normal", "custom"] = Field(
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


class OptimiserSettings(Settings):
    """The optimisers, their schedule and the averaged weights."""

    generator_optimiser: OptimiserName = Field(
        "adam",
        title="Generator optimiser",
        description="Optimiser of the generator.",
    )
    critic_optimiser: OptimiserName = Field(
        "adam",
        title="Critic optimiser",
        description="Optimiser of the critics.",
    )
    generator_lr: float = Field(
        1e-4,
        gt=0,
        le=1,
        title="Generator learning rate",
        description="Learning rate of the generator.",
    )
    critic_lr: float = Field(
        1e-4,
        gt=0,
        le=1,
        title="Critic learning rate",
        description="Learning rate of the critics.",
    )
    output_lr_scale: float = Field(
        1.0,
        gt=0,
        le=1,
        title="Output layer rate scale",
        description="Learning rate of the generator's last layer relative to its "
        "other layers. All updates of this layer add up in the volume; a small value "
        "keeps the phase fractions steady.",
    )
    lookahead: int = Field(
        0,
        ge=0,
        le=1000,
        title="Lookahead steps",
        description="Lookahead optimiser: every so many steps generator and critics "
        "move back half-way to their earlier weights, which damps their oscillation "
        "around each other; 0 for never.",
    )
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]
    ] = Field(
        (0.0, 0.9),
        title="Adam betas",
        description="Decay rates of Adam's first and second moments; RMSprop uses the "
        "second only, SGD none.",
    )
    lr_decay_start: float = Field(
        1.0,
        ge=0,
        le=1,
        title="Learning rate decay start",
        description="Fraction of the run after which the learning rates decay "
        "linearly to a twentieth; 1 keeps them constant.",
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="EMA decay",
        description="Decay per step of the exponential moving average (EMA) of the "
        "generator's weights; 0 uses the last weights.",
    )
    match_phase_fractions: bool = Field(
        False,
        title="Match phase fractions",
        description="Phases: shifts the interfaces of the trained generator by a "
        "fraction of a voxel so that its mean phase fractions equal those of the "
        "images.",
    )


class TrainingSettings(Settings):
    """Length, batch sizes and bookkeeping of the run."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        title="Seed",
        description="Seed of all random numbers of the run.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto, cpu, cuda, cuda:N or mps.",
    )
    precision: Precision = Field(
        "float32",
        title="Precision",
        description="Number format of convolutions and matrix products; losses, "
        "statistics, optimisers and averaged weights are in float32 throughout. "
        "'auto': bfloat16 on GPUs and CPUs that are faster with it, float32 elsewhere.",
    )
    steps: int = Field(
        100_000,
        ge=1,
        title="Steps",
        description="Training steps after which the run ends.",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        title="Epochs",
        description="Systems of images: passes through the set after which the run "
        "ends, unless 'Steps' ends it earlier; empty for 'Steps' alone.",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        title="Minutes",
        description="Training time after which the run ends, in minutes; includes "
        "monitoring and saving, but not pauses. Empty for no limit.",
    )
    patience_minutes: float | None = Field(
        None,
        gt=0,
        title="Early stopping patience",
        description="Early stopping: minutes without improvement of the measured "
        "quality after which the run ends; empty to train on.",
    )
    generator_batch_size: int | None = Field(
        16,
        ge=1,
        le=1024,
        title="Generator batch size",
        description="Volumes generated in a generator step. Empty for 2; if both "
        "batch sizes are empty, a new run on a CUDA GPU takes as many as its free "
        "memory holds, up to 16.",
    )
    critic_batch_size: int | None = Field(
        8,
        ge=1,
        le=1024,
        title="Critic batch size",
        description="Volumes generated in a critic step; empty for the generator's "
        "batch size.",
    )
    share_batch: bool = Field(
        False,
        title="Share batch",
        description="The generator step reuses the volumes of the last critic step; "
        "needs equal batch sizes.",
    )
    share_planes: bool = Field(
        False,
        title="Share planes",
        description="With 'Share batch' and as many planes per volume in both steps: "
        "the generator step reuses the planes, too, and scores of real images.",
    )
    real_batch_size: int | None = Field(
        None,
        ge=1,
        title="Real batch size",
        description="Real crops per axis in a critic step; empty for one per "
        "generated slice.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads for the computation; empty for all cores.",
    )
    monitor_interval: int = Field(
        50,
        ge=1,
        title="Check quality every",
        description="Steps between two quality measurements and previews; more after "
        "the first minute, where they would take a larger part of the time than 1 %.",
    )
    monitor_minutes: float | None = Field(
        None,
        gt=0,
        title="Check quality (minutes)",
        description="Systems of images: minutes between two quality measurements and "
        "sheets, in place of those after each epoch. Empty for each epoch, or every "
        "half minute if an epoch is a single step.",
    )
    checkpoint_minutes: float = Field(
        1.0,
        gt=0,
        title="Checkpoint interval",
        description="Minutes between two checkpoints.",
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        le=1000,
        title="Checkpoints kept",
        description="Number of newest checkpoints kept in the run folder.",
    )

    @property
    def volumes(self) -> tuple[int, int]:
        """Volumes generated in a critic step and in a generator step."""
        return self.critic_batch_size or VOLUMES, self.generator_batch_size or VOLUMES
