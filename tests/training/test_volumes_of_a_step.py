"""Volumes of a step from the free memory of a GPU, which a test can only pretend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.training import estimates as estimates
from napari_slicegan.training.estimates import (
    MAX_BATCH_SIZE,
    OVERHEAD_BYTES,
    USABLE_MEMORY_FRACTION,
    choose_batch_sizes,
    forecast,
    step_cost,
)
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.tasks import VolumeTask
from napari_slicegan.training.trainer import Trainer
from tests.toys import train

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

EMPTY: dict[str, Any] = {"critic_batch_size": None, "generator_batch_size": None}

Pretend = Callable[[int], None]


@pytest.fixture
def gpu_with(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let the estimates see a GPU with so many free bytes."""

    def pretend(free_bytes: int) -> None:
        gpu = torch.device("cuda", 0)
        monkeypatch.setattr(estimates, "choose_device", lambda setting: gpu)
        monkeypatch.setattr(estimates, "free_memory", lambda device: free_bytes)
        monkeypatch.setattr(estimates, "machine_speed", lambda device, threads: 1e12)

    return pretend


def bytes_for(config: RunConfig, n: int) -> int:
    """Free memory in which so many volumes just fit."""
    wanted = config.changed(critic_batch_size=n, generator_batch_size=n)
    needed = step_cost(wanted, 2, "phases", isotropic=True).memory_bytes
    return round((needed + OVERHEAD_BYTES) / USABLE_MEMORY_FRACTION) + 1


@pytest.mark.parametrize(
    ("fits", "more", "expected"),
    [
        (4, 0, 4),
        (8, 0, 8),
        # A byte less than eight need.
        (8, -10, 4),
        (MAX_BATCH_SIZE, 0, MAX_BATCH_SIZE),
        (MAX_BATCH_SIZE, 10**12, MAX_BATCH_SIZE),
        # Too little even for two: the run will say what to lower.
        (2, -(10**6), 2),
    ],
)
def test_as_many_as_fit(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    gpu_with: Pretend,
    fits: int,
    more: int,
    expected: int,
) -> None:
    config = toy_config.changed(**EMPTY)
    gpu_with(bytes_for(config, fits) + more)
    found = choose_batch_sizes(config, VolumeTask(config, toy_images))
    assert found.training.volumes == (expected, expected)
    assert found == config.changed(
        critic_batch_size=expected, generator_batch_size=expected
    )
    # The forecast is that of the run.
    memory = forecast(config, toy_images).memory_bytes
    assert memory == forecast(found, toy_images).memory_bytes


@pytest.mark.parametrize(
    "given",
    [
        {"critic_batch_size": 1, "generator_batch_size": 1},
        {"critic_batch_size": 3, "generator_batch_size": None},
        {"critic_batch_size": None, "generator_batch_size": 3},
    ],
)
def test_numbers_win(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    gpu_with: Pretend,
    given: dict[str, Any],
) -> None:
    gpu_with(10**12)
    config = toy_config.changed(**given)
    assert choose_batch_sizes(config, VolumeTask(config, toy_images)) == config
    # What is left empty is 2.
    expected = (given["critic_batch_size"] or 2, given["generator_batch_size"] or 2)
    assert config.training.volumes == expected


def test_processors_make_two(
    toy_config: RunConfig, toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "free_memory", lambda device: 10**12)
    config = toy_config.changed(**EMPTY)
    assert choose_batch_sizes(config, VolumeTask(config, toy_images)) == config
    assert config.training.volumes == (2, 2)
    assert preset("slicegan-fast").training.volumes == (2, 2)


def test_a_fine_tuned_run_takes_as_many_as_fit(
    toy_run: Path,
    toy_config: RunConfig,
    toy_images: TrainingImages,
    tmp_path: Path,
    gpu_with: Pretend,
) -> None:
    """As any other new run."""
    config = toy_config.changed(**EMPTY)
    gpu_with(bytes_for(config, 4))
    trainer = fine_tune(toy_run, config, toy_images, tmp_path / "run")
    assert trainer.config.training.volumes == (4, 4)
    assert RunFolder.open(tmp_path / "run").config() == trainer.config


def test_a_resumed_run_keeps_its_volumes(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path, gpu_with: Pretend
) -> None:
    """Also when the GPU has more free memory by then."""
    config = toy_config.changed(**EMPTY, steps=2)
    gpu_with(bytes_for(config, 4))
    train(Trainer.start(config, toy_images, tmp_path / "run"))
    gpu_with(10**12)
    resumed = Trainer.resume(tmp_path / "run", steps=3)
    assert resumed.config.training.critic_batch_size == 4
    assert resumed.config.training.generator_batch_size == 4
    sizes: list[int] = []
    resumed.gan.generator.register_forward_hook(
        lambda _, args, __: sizes.append(len(args[0]))
    )
    next(resumed.run())
    assert sizes[0] == 4
