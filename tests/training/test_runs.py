"""Memory and time before the start, against hand counts and torch's own counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_slicegan.config.presets import VOLUME_PRESETS, preset
from napari_slicegan.models import (
    Output,
    build_critic,
    build_generator,
    check_training_size,
    generator_spec,
)
from napari_slicegan.models import cost as operation_counter
from napari_slicegan.models.cost import META, Counter
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.presets import SYSTEM_PRESETS
from napari_slicegan.training import estimates as estimates
from napari_slicegan.training.estimates import (
    Estimate,
    Probe,
    Timed,
    forecast,
    free_memory,
    patch_sizes,
    step_cost,
)
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.toys import Crops, parameter_count

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.tasks import TrainingData
    from tests.conftest import MakeAdversarialStep

FLOAT = 4


def test_bytes_alive_are_those_of_the_tensors() -> None:
    with Counter() as counter:
        a = torch.empty(1000, device=META)
        assert counter.bytes == 1000 * FLOAT
        view = a.view(10, 100)[2:]
        # A view takes nothing.
        assert counter.bytes == 1000 * FLOAT
        b = a + 1
        # b, and for a moment b * 2, beside a.
        total = (b * 2).sum()
        cost = counter.take()
        assert cost.memory_bytes == 3 * 1000 * FLOAT + FLOAT
        del b
        assert counter.bytes == 1000 * FLOAT + FLOAT
        del a
        # The view keeps its memory.
        assert counter.bytes == 1000 * FLOAT + FLOAT
        del view, total
        assert counter.bytes == 0


def test_memory_that_only_the_gradient_needs_is_counted() -> None:
    with Counter() as counter:
        weight = torch.empty(100, 100, device=META, requires_grad=True)
        x = torch.empty(50, 100, device=META)
        hidden = (x @ weight).relu()
        alive = counter.bytes
        # weight, x, and the result of the ReLU, which its gradient needs.
        assert alive == (100 * 100 + 50 * 100 + 50 * 100) * FLOAT
        hidden.sum().backward()
        assert weight.grad is not None
        # 2 * 50 * 100 * 100 for the product, the same for the weight's gradient.
        assert counter.take().operations == 2 * 2 * 50 * 100 * 100


class WholeProgram:
    """In place of torch's tracker of modules, which second derivatives break."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


@pytest.mark.parametrize(
    "changes",
    [
        {"penalty_interval": 1},
        {"penalty_interval": 2},
        {"objective": "wgan-gp", "penalty_interval": 1, "critic_steps": 3},
        {"share_batch": False},
        {"critic_heads": False},
    ],
)
def test_operations_are_those_of_a_computed_step(
    toy_config: RunConfig,
    make_adversarial_step: MakeAdversarialStep,
    changes: dict[str, object],
) -> None:
    config = toy_config.changed(**changes)
    game, crops = make_adversarial_step(**changes), Crops()
    every = config.objective.penalty_interval
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = WholeProgram()  # type: ignore[assignment]
    with counter:
        for _ in range(every):
            game.step(crops, 0.0)
    cost = step_cost(config, 2, "phases", isotropic=True)
    assert cost.operations == pytest.approx(counter.get_total_flops() / every)


IMAGE_GAMES: dict[str, dict[str, object]] = {
    "dcgan-28": {},
    "dcgan-relu": {"patch_size": 16, "generator_widths": (4, 4), "objective": "wgan"},
    "specgan": {"patch_size": 28, "objective": "wgan-gp", "penalty_weight": 10.0},
}


@pytest.mark.parametrize("name", IMAGE_GAMES)
def test_operations_of_images_are_those_of_a_computed_step(name: str) -> None:
    config = small_image_config(architecture=name, **IMAGE_GAMES[name])
    if name == "specgan":
        config = config.changed(generator_widths=(8, 4), image_kernel=3)
    edge = config.architecture.patch_size
    data = ImageSet(ellipses(20, edge), "ellipses")
    assert_operations_are_computed(config, data, 1, "signed")


def test_operations_of_points_are_those_of_a_computed_step() -> None:
    config = preset("realness-toy").changed(
        generator_widths=(8, 8), critic_widths=(6,), device="cpu", threads=1
    )
    assert_operations_are_computed(config, nine_gaussians(), 2, "linear")


def assert_operations_are_computed(
    config: RunConfig, data: TrainingData, channels: int, output: Output
) -> None:
    trainer = Trainer(config, data)
    (source,) = trainer.samplers
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = WholeProgram()  # type: ignore[assignment]
    with counter:
        trainer.gan.step(lambda critic, n, rng: source.sample(n, rng), 0.0)
    cost = step_cost(config, channels, output, isotropic=True)
    assert cost.operations == pytest.approx(counter.get_total_flops())


@pytest.mark.parametrize("name", sorted(SYSTEM_PRESETS))
def test_every_preset_of_images_has_an_estimate(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, gradients and Adam's moments are 16 bytes for each weight."""
    # 0.5 s for moving the weights of both sides, 1 s for an image.
    timed = Probe(Timed(2, 2.5), Timed(4, 4.5))
    monkeypatch.setattr(estimates, "probe", lambda *settings: timed)
    config = preset(name).changed(evaluation_images=16, device="cpu")
    size = config.architecture.patch_size
    data: TrainingData = ImageSet(
        np.arange(2.0 * size**2).reshape(2, size, size) + 1, "ramps"
    )
    channels = 1
    output: Output = "signed"
    if config.architecture.dimensions == 1:
        data, channels, output = nine_gaussians(), 2, "linear"
    found = forecast(config, data)
    with META:
        spec = generator_spec(config, channels, output)
        weights = parameter_count(build_generator(spec))
    assert found.memory_bytes > 16 * weights
    # Two images are one step of an epoch; other presets end by their steps.
    epochs = config.training.epochs
    assert found.steps == (epochs or config.training.steps)
    game, (batch, _) = config.objective, config.training.volumes
    assert found.step_s > 0.25 * (game.critic_steps + game.generator_steps)
    assert found.step_s < 1.25 * batch * (game.critic_steps + game.generator_steps)


def test_memory_grows_evenly_with_the_volumes(toy_config: RunConfig) -> None:
    bytes_ = [
        step_cost(
            toy_config.changed(generator_batch_size=n, critic_batch_size=n),
            2,
            "phases",
            isotropic=True,
        ).memory_bytes
        for n in (2, 4, 6)
    ]
    assert bytes_[1] - bytes_[0] == pytest.approx(bytes_[2] - bytes_[1], rel=0.02)
    # Each volume keeps at least its probabilities: 2 channels of 16^3 voxels.
    assert bytes_[1] - bytes_[0] > 2 * 2 * 16**3 * FLOAT


def test_memory_holds_weights_gradients_and_moments(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    game = make_adversarial_step()
    trained = [*game.generator.parameters(), *game.critics.parameters()]
    n_weights = sum(weight.numel() for weight in trained)
    cost = step_cost(game.config, 2, "phases", isotropic=True)
    # The weight, its gradient and Adam's two moments.
    assert cost.memory_bytes > 4 * n_weights * FLOAT


def test_an_anisotropic_material_has_three_critics(toy_config: RunConfig) -> None:
    # Wide critics: their weights need more than the images that they see.
    wide = toy_config.changed(
        critic_widths=[256] * len(toy_config.architecture.critic_widths),
        critic_heads=False,
    )
    one, three = (
        step_cost(wide, 2, "phases", isotropic=isotropic) for isotropic in (True, False)
    )
    assert three.memory_bytes > one.memory_bytes


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        # One second a step (measured speed set to the operations of a step).
        ({"minutes": 2.0, "steps": 1000}, 120),
        ({"minutes": 2.0, "steps": 60}, 60),
        ({"minutes": None, "steps": 90}, 90),
    ],
)
def test_the_first_limit_ends_the_run(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, object],
    steps: int,
) -> None:
    config = toy_config.changed(**limits)
    operations = step_cost(config, 2, "phases", isotropic=True).operations
    monkeypatch.setattr(estimates, "machine_speed", lambda device, n: operations)
    monkeypatch.setattr(operation_counter, "CALL_S", 0.0)
    found = forecast(config, toy_images)
    assert found.steps == steps
    assert found.step_s == pytest.approx(1)
    assert found.minutes == pytest.approx(steps / 60)


def test_speed_of_this_machine_is_measured_once() -> None:
    estimates.machine_speed.cache_clear()
    device = torch.device("cpu")
    speed = estimates.machine_speed(device, 1)
    # Between a slow single core and any processor there is.
    assert 1e8 < speed < 1e14
    assert estimates.machine_speed(device, 1) == speed


def test_settings_that_do_not_fit_are_refused_as_by_the_trainer(
    toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    with pytest.raises(ValueError, match="Latent size"):
        forecast(toy_config.changed(patch_size=24), toy_images)
    with pytest.raises(ValueError, match="at least 64 x 64"):
        forecast(preset("slicegan-fast"), toy_images)


def test_sentence_says_time_memory_and_what_to_lower() -> None:
    enough = Estimate(0.5, 570, 4.75, 9 * 10**8, 23 * 10**9)
    assert enough.sentence() == (
        "About 5 min for 570 steps of 0.5 s, 0.9 GB of 23 GB free memory."
    )
    slow = Estimate(151.3, 24, 60, 9 * 10**8, 23 * 10**9)
    assert slow.sentence().startswith("About 60 min for 24 steps of 150 s, ")
    lacking = Estimate(60, 72_000, 72_000, 30 * 10**9, 23 * 10**9)
    assert not lacking.fits
    assert "50 days for 72,000 steps" in lacking.sentence()
    assert "lower 'Generator batch size'" in lacking.sentence()


def test_free_memory_is_that_of_the_machine() -> None:
    total = psutil.virtual_memory().total
    assert 0 < free_memory(torch.device("cpu")) < total


@pytest.mark.parametrize("name", VOLUME_PRESETS)
def test_offered_patch_sizes_are_accepted(name: str) -> None:
    config = preset(name)
    sizes = patch_sizes(config)
    # Five layers {4,2,2} and {4,2,3}: 32 n - 64.
    assert list(sizes.items())[:4] == [(32, 3), (64, 4), (96, 5), (128, 6)]
    for patch, latent in sizes.items():
        fitting = config.changed(patch_size=patch, latent_size=latent)
        check_training_size(generator_spec(fitting, 2, "phases"), patch)
        with META:
            build_critic(fitting, 2, 1, torch.Generator(device="cpu"))


def test_no_patch_size_is_offered_for_impossible_networks() -> None:
    # A kernel of 3 with stride 2 leaves a checkerboard.
    layers = ((3, 2, 1), (4, 2, 2), (4, 2, 2), (4, 2, 2), (4, 2, 3))
    assert patch_sizes(preset("slicegan-fast").changed(generator_kernels=layers)) == {}
