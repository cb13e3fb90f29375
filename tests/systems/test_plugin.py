"""A further system plugs into the core without an edit there.

This module is such a system: squares that are dark or bright. It registers an
architecture, an objective, a task and a preset, as a package of its own would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.config import add_architecture, add_task, architecture, registry
from napari_slicegan.config.presets import PRESETS, Preset, preset
from napari_slicegan.config.registry import add_part
from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.losses.absolute import LEAST_SQUARES, AbsoluteScores
from napari_slicegan.models.blocks import init_uniform_fan_in
from napari_slicegan.models.network import GeneratorNetwork, output_layer
from napari_slicegan.models.table import ARCHITECTURES, Architecture, CriticSpec
from napari_slicegan.systems.image_task import ImageTask
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.tasks import TASKS
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import EDGE, toy_set
from tests.toys import train


@dataclass(frozen=True)
class ToySpec:
    architecture: str
    channels: int
    output: Any
    size: int
    latent_channels: int


class ToyGenerator(GeneratorNetwork):
    value_range = (-1.0, 1.0)

    def prepare_latents(self, latents: Tensor) -> Tensor:
        return latents.flatten(1)


def toy_spec(settings: Any, channels: int, output: Any) -> ToySpec:
    size, latents = settings.patch_size, settings.latent_channels
    return ToySpec(settings.architecture, channels, output, size, latents)


def build_toy(spec: ToySpec) -> ToyGenerator:
    shape = (spec.channels, spec.size, spec.size)
    dense = nn.Linear(spec.latent_channels, spec.channels * spec.size**2)
    block = nn.Sequential(dense, nn.Unflatten(1, shape), output_layer(spec.output))
    return ToyGenerator(spec, block1=block)


def build_toy_critic(critic: CriticSpec) -> nn.Module:
    pixels = critic.generator.channels * critic.generator.size**2
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, critic.outputs))


TOY = Architecture(ToySpec, toy_spec, build_toy, build_toy_critic, init_uniform_fan_in)


def build_toy_objective(settings: Any) -> AbsoluteScores:
    return AbsoluteScores(LEAST_SQUARES, settings.penalty_weight, 1)


class ToyTask(ImageTask):
    command = "sample {}"


def register() -> None:
    add_task("squares", f"{__name__}:ToyTask", 2)
    add_architecture("toy-dense", f"{__name__}:TOY", "squares")
    add_part("objective", "toy-lsgan", f"{__name__}:build_toy_objective")
    settings = {
        "architecture": "toy-dense",
        "objective": "toy-lsgan",
        "penalty_weight": 0.1,
        "patch_size": EDGE,
        "latent_channels": 5,
        "generator_batch_size": 4,
        "critic_batch_size": 4,
        "steps": 2,
        "evaluation_images": 16,
        "critic_heads": False,
        "straight_through": False,
        "update_per_axis": False,
        "device": "cpu",
        "threads": 1,
    }
    PRESETS.add({"toy-squares": Preset("Squares.", settings)})


@pytest.fixture
def registered() -> Iterator[None]:
    """The system is registered for one test only."""
    tables: list[dict[str, Any]] = [
        *(
            vars(registry)["_PLACES"][kind]
            for kind in ("architecture", "objective", "task")
        ),
        *(vars(table)["_parts"] for table in (ARCHITECTURES, OBJECTIVES, TASKS)),
        *(vars(architecture)[name] for name in ("_TASKS", "_TASK_DIMENSIONS")),
        vars(PRESETS)["_presets"],
    ]
    before = [dict(table) for table in tables]
    register()
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.mark.usefixtures("registered")
def test_a_further_system_trains(tmp_path: Path) -> None:
    """Registered parts are found by name, train, and are loaded again."""
    trainer = Trainer.start(preset("toy-squares"), toy_set(), tmp_path / "run")
    reports = train(trainer)
    assert isinstance(trainer.gan.generator, ToyGenerator)
    assert isinstance(trainer.gan.objective, AbsoluteScores)
    assert TASKS["squares"] is ToyTask
    assert [report.step for report in reports] == [1, 2]
    state: Mapping[str, Tensor] = trainer.trained_generator().network.state_dict()
    resumed = Trainer.resume(tmp_path / "run", steps=3)
    again = resumed.gan.averaged.network.state_dict()
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert RunFolder.open(tmp_path / "run").config().objective.objective == "toy-lsgan"
