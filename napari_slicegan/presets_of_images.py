"""Settings of the published systems that make images."""

from __future__ import annotations

from collections.abc import Mapping

# What generators of images have no use for, and what their authors did without.
_IMAGES: Mapping[str, object] = {
    "critic_heads": False,
    "hard_phases": False,
    "penalty_weight": 0.0,
    "penalty_every": 1,
    "decay_from": 1.0,
    "averaging": 0.0,
    "minutes": None,
    "monitor_every": 200,
}

# A DCGAN for each image size, with 10 epochs at a call.
_OASIS: Mapping[str, object] = {
    **_IMAGES,
    "latent_channels": 100,
    "objective": "bce",
    "betas": (0.5, 0.999),
    "generator_rate": 2e-4,
    "critic_rate": 2e-4,
    "generator_volumes": 16,
    "critic_volumes": 16,
    "share_volumes": True,
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
        "generator_rate": 1e-4,
        "critic_rate": 1e-4,
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
        "generator_rate": 1e-4,
        "betas": (0.9, 0.999),
        "critic_optimiser": "sgd",
        "critic_rate": 0.01,
    },
    "oasis-256": {
        **_OASIS,
        "architecture": "dcgan-256",
        "patch_size": 256,
        "generator_widths": (2048, 2048, 1024, 512, 256, 128),
        "critic_widths": (64, 128, 256, 512, 1024),
    },
}

IMAGE_PRESETS: Mapping[str, Mapping[str, object]] = {**OASIS}

IMAGE_SUMMARIES: Mapping[str, str] = {
    f"oasis-{size}": f"Images of {size} pixels by a DCGAN made for slices of brains."
    for size in (28, 64, 128, 256)
}
