"""Settings of the published systems that make images."""

from __future__ import annotations

from collections.abc import Mapping

from napari_slicegan.config.presets import Preset

_IMAGES: Mapping[str, object] = {"augmentation": "auto", "monitor_interval": 200}

# A DCGAN for each image size, with 10 epochs at a call.
_OASIS: Mapping[str, object] = {
    **_IMAGES,
    "latent_channels": 100,
    "objective": "bce",
    "penalty_weight": 0.0,
    "critic_steps": 1,
    "betas": (0.5, 0.999),
    "generator_lr": 2e-4,
    "critic_lr": 2e-4,
    "generator_batch_size": 16,
    "critic_batch_size": 16,
    "share_batch": True,
    "epochs": 10,
    "aligned": True,
}

OASIS: Mapping[str, Mapping[str, object]] = {
    "oasis-28": {
        **_OASIS,
        "architecture": "dcgan-28",
        "patch_size": 28,
        "generator_widths": (256, 128, 64),
        "critic_widths": (64, 128),
        "generator_lr": 1e-4,
        "critic_lr": 1e-4,
        "betas": (0.9, 0.999),
    },
    "oasis-64": {
        **_OASIS,
        "architecture": "dcgan-64",
        "patch_size": 64,
        "generator_widths": (256, 256, 128, 64),
        "critic_widths": (64, 128, 256),
    },
    "oasis-128": {
        **_OASIS,
        "architecture": "dcgan-128",
        "patch_size": 128,
        "generator_widths": (512, 512, 256, 128, 64),
        "critic_widths": (64, 128, 256, 512),
        "generator_lr": 1e-4,
        "betas": (0.9, 0.999),
        "critic_optimiser": "sgd",
        "critic_lr": 0.01,
    },
    "oasis-256": {
        **_OASIS,
        "architecture": "dcgan-256",
        "patch_size": 256,
        "generator_widths": (2048, 2048, 1024, 512, 256, 128),
        "critic_widths": (64, 128, 256, 512, 1024),
    },
}

# RealnessGAN on nine Gaussians. Its published settings (500 steps of small rates)
# recover few modes; these recover eight of the nine or all.
_TOY: Mapping[str, object] = {
    **_IMAGES,
    "architecture": "mlp-toy",
    "latent_channels": 16,
    "generator_widths": (128, 128, 128, 128),
    "critic_widths": (64, 64, 64),
    "objective": "realness",
    "critic_steps": 1,
    "outcomes": 10,
    "generator_steps": 3,
    "generator_lr": 1e-3,
    "critic_lr": 1e-3,
    "betas": (0.5, 0.999),
    "generator_batch_size": 256,
    "critic_batch_size": 256,
    "steps": 2_500,
    "monitor_interval": 250,
}

# The settings that were published with the experiment.
_TOY_PAPER: Mapping[str, object] = {
    **_TOY,
    "latent_channels": 128,
    "generator_widths": (400, 400, 400, 400),
    "critic_widths": (200, 200, 200),
    "outcomes": 5,
    "generator_lr": 1e-4,
    "critic_lr": 1e-4,
    "betas": (0.8, 0.999),
    "generator_batch_size": 100,
    "critic_batch_size": 100,
    "steps": 500,
    "monitor_interval": 100,
}

# The published settings for faces of 256 pixels.
_FACES: Mapping[str, object] = {
    **_IMAGES,
    "architecture": "dcgan-relu",
    "patch_size": 256,
    "latent_channels": 128,
    "generator_widths": (1024, 512, 256, 128, 64, 32),
    "critic_widths": (32, 64, 128, 256, 512, 1024),
    "feature_resampling": True,
    "objective": "realness",
    "critic_steps": 1,
    "outcomes": 51,
    "generator_lr": 2e-4,
    "critic_lr": 2e-4,
    "betas": (0.5, 0.999),
    "generator_batch_size": 32,
    "critic_batch_size": 32,
    "steps": 520_000,
    "monitor_interval": 1_000,
}

# Spectrograms of sounds; the padding is that of a port to torch.
_SPECGAN: Mapping[str, object] = {
    **_IMAGES,
    "architecture": "specgan",
    "patch_size": 128,
    "latent_channels": 100,
    "generator_widths": (1024, 512, 256, 128, 64),
    "critic_widths": (64, 128, 256, 512, 1024),
    "normalisation": "none",
    "image_padding": "torch",
    "generator_lr": 1e-4,
    "critic_lr": 1e-4,
    "betas": (0.5, 0.9),
    "generator_batch_size": 64,
    "critic_batch_size": 64,
    "scaling": "rows",
    "log_offset": 1e-6,
    "checkpoint_minutes": 5.0,
    "monitor_minutes": 0.5,
}

# Narrow networks and fast rates, which learn simple sounds in minutes on two cores.
_SPECGAN_SMALL: Mapping[str, object] = {
    **_SPECGAN,
    "generator_widths": (128, 64, 32, 16, 8),
    "critic_widths": (8, 16, 32, 64, 128),
    "critic_steps": 2,
    "generator_lr": 1e-3,
    "critic_lr": 1e-3,
    "generator_batch_size": 16,
    "critic_batch_size": 16,
    "checkpoint_minutes": 1.0,
    "minutes": 5.0,
}

SYSTEM_PRESETS: Mapping[str, Preset] = {
    **{
        name: Preset(
            f"Images of {values['patch_size']} pixels by a DCGAN for brain slices.",
            values,
        )
        for name, values in OASIS.items()
    },
    "realness-toy": Preset(
        "Points of nine Gaussians by RealnessGAN: a test of the adversarial training.",
        _TOY,
    ),
    "realness-toy-paper": Preset(
        "The same with the published settings, which recover few modes.", _TOY_PAPER
    ),
    "realness-dcgan": Preset(
        "Images of 256 pixels by RealnessGAN, as published for faces.", _FACES
    ),
    "specgan": Preset(
        "Spectrograms, or other images of 128 pixels in which the row matters.",
        _SPECGAN,
    ),
    "specgan-small": Preset(
        "SpecGAN with narrow networks, for simple sounds in five minutes on a CPU.",
        _SPECGAN_SMALL,
    ),
}
