"""A run that begins with the weights of another one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.config.presets import preset
from napari_slicegan.models import training_size
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from torch import nn

    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.adversarial_step import AdversarialStep
    from napari_slicegan.training.tasks import TrainingData

logger = logging.getLogger(__name__)


def fine_tune(
    source: str | Path, config: RunConfig, images: TrainingData, path: str | Path
) -> Trainer:
    """Start a run in a new folder from the weights of another run.

    The generator goes on from the trained weights, the average from the averaged ones,
    and the critics from theirs, where the other run has a checkpoint; from a generator
    alone both begin with its weights, and the critics anew. Everything else begins
    anew: optimisers, random numbers, steps.

    Parameters
    ----------
    source
        Run folder, or .safetensors generator.
    config, images, path
        As of `Trainer.start`.

    Raises
    ------
    ValueError
        If the networks of the two runs differ; nothing is written then.
    """
    return Trainer.start(
        config, images, path, lambda trainer: take_weights(trainer, Path(source))
    )


def take_weights(trainer: Trainer, source: Path) -> None:
    """Begin with the weights of another run, or of a generator.

    Raises
    ------
    ValueError
        If the networks differ, or there is nothing to read.
    """
    run = RunFolder.open(source) if source.is_dir() else None
    if run is not None and run.checkpoints():
        take_checkpoint(trainer.gan, run.load_checkpoint()["game"])
    else:
        weights = load_any_generator(source).network.state_dict()
        averaged = trainer.gan.averaged.network
        for network in (trainer.gan.generator, averaged):
            _take(network, weights, "generator")


def settings_of(source: str | Path) -> RunConfig:
    """Settings of the run to start from; of a generator alone, those of its network.

    Raises
    ------
    ValueError
        If there is no run and no generator of volumes.
    """
    source = Path(source)
    if source.is_dir():
        return RunFolder.open(source).config()
    spec = load_generator(source).network.spec
    return preset("slicegan-fast").changed(
        architecture=spec.architecture,
        patch_size=training_size(spec),
        latent_size=spec.latent_size,
        latent_channels=spec.latent_channels,
        generator_widths=spec.widths,
        generator_kernels=spec.layers,
        normalisation=spec.normalisation,
    )


def take_checkpoint(game: AdversarialStep, state: dict[str, Any]) -> None:
    """Take over the networks of another game, as far as they have the same shapes.

    Raises
    ------
    ValueError
        If the generators differ.
    """
    _take(game.generator, state["generator"], "generator")
    averaged = state["averaged"].get("network", state["generator"])
    _take(game.averaged.network, averaged, "generator")
    try:
        _take(game.critics, state["critics"], "critic")
    except ValueError as error:
        logger.warning("The critics begin anew. %s", error)


def _take(network: nn.Module, weights: dict[str, Any], name: str) -> None:
    """Take over weights if all of them fit."""
    mine = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in weights.items()}
    for key in sorted({*mine, *theirs}):
        if mine.get(key) != theirs.get(key):
            raise ValueError(
                f"The {name} of the run to start from is another one: expected "
                f"{_shape(mine.get(key))} at {key}, got {_shape(theirs.get(key))}; use "
                "the same architecture, widths, latent channels and phases."
            )
    network.load_state_dict(weights)


def _shape(shape: tuple[int, ...] | None) -> str:
    """Sizes of a weight, in words."""
    if shape is None:
        return "no weights"
    return " x ".join(map(str, shape)) or "a number"
