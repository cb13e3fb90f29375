"""Materials and real images that are small enough for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.models import GeneratorSpec, build_generator
from napari_slicegan.models.generator_file import TrainedGenerator
from napari_slicegan.models.sizes import default_layers

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.training.trainer import Trainer

# The label values of the toy material are not the numbers of its phases.
TOY_LABELS = (7, 207)
PIXEL_SIZE_NM = 5.0
# Voxels and pixels per axis in training.
TOY_PATCH = 16


def smooth_field(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    """Gaussian random field with a correlation length of a few pixels."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(gaussian_filter(noise, 2, mode="wrap"))


def phases_image(*shape: int, seed: int = 0) -> Micrograph:
    """Two phases, about half and half."""
    pores = smooth_field(*shape, seed=seed) > 0
    low, high = TOY_LABELS
    values = np.where(pores, high, low).astype(np.uint8)
    return Micrograph.from_array(values, "phases", PIXEL_SIZE_NM, "toy")


def small_config() -> RunConfig:
    """The default preset with networks that train a step in milliseconds.

    A latent of 4 becomes 6, 10, then 16 voxels.
    """
    return preset("slicegan-fast").changed(
        architecture="auto",
        noise=False,
        voxel_noise="off",
        initial_weights="random",
        patch_size=TOY_PATCH,
        latent_size=4,
        latent_channels=4,
        generator_widths=(6, 6),
        critic_widths=(6, 6),
        critic_slices=3,
        generator_slices=5,
        generator_batch_size=1,
        critic_batch_size=1,
        steps=4,
        minutes=None,
        patience_minutes=None,
        checkpoint_minutes=60,
        monitor_interval=1000,
        device="cpu",
        threads=1,
        # The same on all processors.
        precision="float32",
    )


def completed(config: RunConfig) -> RunConfig:
    """Settings of a toy as a run of isotropic images keeps them."""
    return config.changed(augmentation="rotations", voxel_stretch=(1, 1, 1))


class Crops:
    """Real images of a toy run; records the number requested for each critic."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.asked: list[tuple[int, int]] = []

    def __call__(self, critic: int, n: int, rng: torch.Generator) -> Tensor:
        self.asked.append((critic, n))
        shape = (n, self.channels, TOY_PATCH, TOY_PATCH)
        return torch.rand(shape, generator=rng)


def parameter_count(network: nn.Module) -> int:
    """Number of weights of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def tensors(state: object, name: str = "") -> dict[str, Tensor]:
    """All tensors and numbers in a nested state, by their path."""
    if isinstance(state, Tensor):
        return {name: state}
    if isinstance(state, (int, float)):
        return {name: torch.tensor(state, dtype=torch.float64)}
    items = state.items() if isinstance(state, dict) else enumerate(_members(state))
    found: dict[str, Tensor] = {}
    for key, value in items:
        found |= tensors(value, f"{name}/{key}")
    return found


def _members(state: object) -> list[object]:
    return list(state) if isinstance(state, (list, tuple)) else []


def train(trainer: Trainer, stop_at: int | None = None) -> list[StepReport]:
    """Run to the end, or stop after a step; the reports."""
    reports = []
    for report in trainer.run():
        reports.append(report)
        if report.step == stop_at:
            trainer.stop()
    return reports


def finish_of(trainer: Trainer) -> FinishReason:
    """Run to the end; the reason of the end."""
    steps = trainer.run()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            reason: FinishReason = end.value
            return reason


def random_generator(
    transform: OneHotPhases | ScaleMinMax,
    architecture: str = "slicegan",
    seed: int = 0,
    stretch: tuple[int, int, int] = (1, 1, 1),
) -> TrainedGenerator:
    """Untrained toy generator with rich contrast: 8 (L - 2) voxels from L latents."""
    spec = GeneratorSpec(
        architecture=architecture,
        channels=transform.channels,
        output="phases" if transform.range == "simplex" else "unit",
        latent_channels=4,
        latent_size=4,
        widths=(6, 6),
        layers=default_layers(3),
        normalisation="pixel",
        stretch=stretch,
    )
    network = build_generator(spec, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    return TrainedGenerator(network.eval(), transform, PIXEL_SIZE_NM, "toy")


def assert_same_gradients(
    found: Tensor, expected: Tensor, inputs: tuple[Tensor, ...], **tolerance: Any
) -> None:
    """Gradients of two results with respect to the inputs, for a random cotangent."""
    cotangent = torch.randn_like(expected)
    ours, theirs = (
        torch.autograd.grad(made, inputs, cotangent) for made in (found, expected)
    )
    torch.testing.assert_close(ours, theirs, **tolerance)
