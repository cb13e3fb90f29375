"""Fine-tuning: start a run from the weights of another one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.config import ArchitectureSettings, dimensions_of
from napari_slicegan.config.presets import DEFAULT_PRESET, PRESETS, preset
from napari_slicegan.models import GeneratorSpec, generator_spec, training_size
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from torch import nn

    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import TrainingData

logger = logging.getLogger(__name__)


def fine_tune(
    source: str | Path, config: RunConfig, images: TrainingData, path: str | Path
) -> Trainer:
    """Start a run in a new folder from the weights of another run.

    From a run with a checkpoint, generator, average and critics are loaded. From a
    generator alone, generator and average start from its weights, and the critics as
    the setting ``initial_weights`` has it. Optimisers, random numbers and the step
    count always start afresh.

    Parameters
    ----------
    source
        Run folder, or .safetensors generator.
    config, images, path
        As in `Trainer.start`. What is left to the images, ``voxel_noise`` "auto" and an
        empty ``voxel_stretch``, is that of the other run.

    Raises
    ------
    ValueError
        If the networks of the two runs differ; nothing is written then.
    """
    ours = config.architecture
    left_open = {
        "voxel_noise": ours.noise and ours.voxel_noise == "auto",
        "voxel_stretch": not ours.voxel_stretch,
    }
    if any(left_open.values()):
        known = settings_of(source).architecture
        names = [name for name, is_open in left_open.items() if is_open]
        config = config.changed(**{name: getattr(known, name) for name in names})
    if _has_checkpoint(Path(source)):
        config = config.changed(initial_weights="random")  # of which none remain
    return Trainer.start(
        config, images, path, lambda trainer: load_weights(trainer, Path(source))
    )


def load_weights(trainer: Trainer, source: Path) -> None:
    """Load weights into a trainer; critics of other shapes are initialised.

    Raises
    ------
    ValueError
        If the generators differ, or there is nothing to read.
    """
    gan = trainer.gan
    spec = gan.generator.spec
    if not _has_checkpoint(source):
        trained = load_any_generator(source)
        network = trained.network
        _check_architecture(spec, network.spec)
        before = trained.lineage or (trained.weights_digest(),)
        trainer.lineage = (*before, *trainer.lineage)
        weights = network.state_dict()
        _load(gan.generator, weights, "generator")
        _load(gan.averaged.network, weights, "generator")
        return
    run = RunFolder.open(source)
    _check_architecture(spec, generator_spec(run.config(), spec.channels, spec.output))
    checkpoint = run.load_checkpoint()
    state = checkpoint["game"]
    before = tuple(checkpoint.get("lineage", ()))
    if not before:  # of an earlier release
        before = (load_any_generator(source).weights_digest(),)
    trainer.lineage = (*before, *trainer.lineage)
    _load(gan.generator, state["generator"], "generator")
    averaged = state["averaged"].get("network", state["generator"])
    _load(gan.averaged.network, averaged, "generator")
    try:
        _load(gan.critics, state["critics"], "critic")
    except ValueError as error:
        logger.warning("The critics are newly initialised. %s", error)


def _has_checkpoint(source: Path) -> bool:
    return source.is_dir() and bool(RunFolder.open(source).checkpoints())


SETTINGS: Mapping[str, str] = {
    "size": "patch_size",
    "widths": "generator_widths",
    "layers": "generator_kernels",
    "fields": "fields_per_phase",
    "negative_slope": "generator_negative_slope",
    "stretch": "voxel_stretch",
    "kernel": "image_kernel",
    "prior": "latent_distribution",
    "same": "image_padding",
}
"""Field of a generator's spec -> the setting it is from, if that has another name."""


def settings_of(source: str | Path) -> RunConfig:
    """Settings of the run to start from, or of a generator's network.

    A generator alone has no settings of the training: they are those of the default
    preset if it makes the same kind of sample, otherwise of the preset of the same
    architecture whose networks are most alike.

    Raises
    ------
    ValueError
        If there is neither a run nor a generator, or no preset for its architecture.
    """
    source = Path(source)
    if source.is_dir():
        return RunFolder.open(source).config()
    spec = load_any_generator(source).network.spec
    known = {SETTINGS.get(name, name): value for name, value in asdict(spec).items()}
    known = {k: v for k, v in known.items() if k in ArchitectureSettings.model_fields}
    if isinstance(spec, GeneratorSpec):
        known["patch_size"] = training_size(spec)
        known["voxel_noise"] = "on" if spec.voxel_noise else "off"
    return _preset_like(known).changed(**known)


def _preset_like(known: Mapping[str, Any]) -> RunConfig:
    """The preset to train a network of these settings with."""
    name, default = known["architecture"], preset(DEFAULT_PRESET)
    if default.architecture.dimensions == dimensions_of(name):
        return default
    suitable = [
        one for one in PRESETS.values() if one.architecture.architecture == name
    ]
    if not suitable:
        raise ValueError(
            f"Expected a preset for '{name}', the architecture of the generator to "
            "start from, got none; give --config with the settings of a run."
        )

    def likeness(one: RunConfig) -> int:
        return sum(getattr(one.architecture, k) == v for k, v in known.items())

    return max(suitable, key=likeness)


def _check_architecture(ours: Any, theirs: Any) -> None:
    """Weights of several architectures have the same shapes."""
    if ours.architecture != theirs.architecture:
        raise ValueError(
            "The generator of the run to start from differs: expected the architecture "
            f"'{ours.architecture}', got '{theirs.architecture}'; use the same one."
        )


def _load(network: nn.Module, weights: dict[str, Any], name: str) -> None:
    """Load weights if all names and shapes match."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    for key in sorted({*expected, *found}):
        if expected.get(key) != found.get(key):
            raise ValueError(
                f"The {name} of the run to start from differs at {key}: expected "
                f"{_shape(expected.get(key))}, got {_shape(found.get(key))}; use the "
                "same architecture, widths, latent channels, noise and phases."
            )
    network.load_state_dict(weights)


def _shape(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "no weights"
    return " x ".join(map(str, shape)) or "a number"
