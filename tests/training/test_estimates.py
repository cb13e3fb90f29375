"""Estimates of memory and time; choice of batch sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch
from napari_slicegan.sample_data import path as sample_path
from torch.utils.flop_counter import FlopCounterMode

from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models import (
    Output,
    build_critic,
    build_generator,
    check_training_size,
    generator_spec,
)
from napari_slicegan.models import cost as operation_counter
from napari_slicegan.models.cost import META, CostCounter
from napari_slicegan.runtime import limits
from napari_slicegan.runtime.distributed import DistributedContext
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training import estimates as estimates
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.estimates import (
    OVERHEAD_BYTES,
    USABLE_MEMORY_FRACTION,
    Estimate,
    choices_made,
    complete,
    extrapolated_s,
    forecast,
    free_memory,
    patch_sizes,
    probe,
    step_cost,
    timed_settings,
)
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.tasks import VolumeTask
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config
from tests.toys import Crops, completed, parameter_count, smooth_field, train

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import TrainingData
    from tests.conftest import MakeAdversarialStep


FLOAT = 4
Pretend = Callable[[int], None]


def test_bytes_alive_are_those_of_the_tensors() -> None:
    with CostCounter() as counter:
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
    with CostCounter() as counter:
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


CHANGES: list[dict[str, object]] = [
    {"penalty_interval": 2},
    {"objective": "wgan-gp", "penalty_interval": 1, "critic_steps": 3},
    {"share_batch": False, "critic_heads": False},
]


def test_operations_are_those_of_a_computed_step(
    toy_config: RunConfig,
    make_adversarial_step: MakeAdversarialStep,
    subtests: pytest.Subtests,
) -> None:
    for changes in CHANGES:
        with subtests.test(changes=changes):
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


def test_operations_of_images_are_those_of_a_computed_step(
    subtests: pytest.Subtests,
) -> None:
    for name in IMAGE_GAMES:
        with subtests.test(name):
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


@pytest.mark.parametrize("name", ["oasis-28", "realness-toy"])
def test_every_preset_of_images_has_an_estimate(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, gradients and Adam's moments are 16 bytes for each weight."""
    # 0.5 s for moving the weights of both sides, 1 s for an image.
    monkeypatch.setattr(estimates, "probe", lambda *settings: {2: 2.5, 4: 4.5})
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
        ({"minutes": None, "steps": 90}, 90),
        ({"minutes": 9e18, "steps": 90}, 90),
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
    monkeypatch.setattr(estimates, "machine_speed", lambda *_: operations)
    monkeypatch.setattr(operation_counter, "CALL_S", 0.0)
    found = forecast(config, toy_images)
    assert found.steps == steps
    assert found.step_s == pytest.approx(1)
    assert found.minutes == pytest.approx(steps / 60)


def test_speed_of_this_machine_is_measured_once() -> None:
    estimates.machine_speed.cache_clear()
    device = torch.device("cpu")
    speed = estimates.machine_speed(device, 1, torch.float32, smaller=True)
    # Between a slow single core and any processor there is.
    assert 1e8 < speed < 1e14
    assert estimates.machine_speed(device, 1, torch.float32, smaller=True) == speed


def test_the_estimated_time_of_a_step_is_about_the_measured_one() -> None:
    """Of steps with penalties, which the measurement of the speed has not.

    Wide bounds: other tests run beside it. Each is the fastest of some steps.
    """
    config = preset("slicegan-fast").changed(
        **{"critic_batch_size": 2, "generator_batch_size": 2, "penalty_interval": 1},
        **{"initial_weights": "random", "precision": "float32"},
    )
    gan = AdversarialStep(
        config, generator_spec(config, 2, "phases"), True, torch.device("cpu")
    )
    images = torch.zeros(24, 2, *(config.architecture.patch_size,) * 2)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        gan.step(lambda _, n, __: images[:n], 0.0).tolist()
        seconds.append(time.perf_counter() - started)
    estimates.machine_speed.cache_clear()
    speed = estimates.machine_speed(
        torch.device("cpu"), torch.get_num_threads(), torch.float32
    )
    cost = step_cost(config, 2, "phases", isotropic=True)
    assert cost.seconds(speed) == pytest.approx(min(seconds), rel=0.5)


def test_the_speed_is_measured_on_less_where_memory_is_short(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    free_for: Pretend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Toy networks need less memory than the measurement of a usual volume."""
    asked: list[bool] = []

    def speed(
        device: torch.device, n: int, precision: torch.dtype, less: bool
    ) -> float:
        asked.append(less)
        return 1e9

    monkeypatch.setattr(estimates, "machine_speed", speed)
    for free in (estimates.SPEED_TEST_BYTES - 1, estimates.SPEED_TEST_BYTES):
        free_for(free)
        assert forecast(toy_config, toy_images).fits
    assert asked == [True, False]


@pytest.fixture
def free_for(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let this process have so many bytes, with the program."""

    def pretend(free_bytes: int) -> None:
        for module in (estimates, limits):
            monkeypatch.setattr(module, "free_for_program", lambda: free_bytes)
        monkeypatch.setattr(limits, "available_swap", lambda: 0)

    return pretend


def test_a_run_beyond_the_memory_is_refused_before_it_is_written(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path, free_for: Pretend
) -> None:
    """Where Linux would kill it; a resumed run names only what it can change."""
    enough = forecast(toy_config, toy_images).memory_bytes
    free_for(enough - 1)
    with pytest.raises(ValueError, match=r"got one that needs about .*'Patch size'"):
        Trainer.start(toy_config, toy_images, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    free_for(enough)
    train(Trainer.start(toy_config.changed(steps=1), toy_images, tmp_path / "run"))
    free_for(enough - 1)
    with pytest.raises(ValueError, match="lower 'Generator batch size' or 'Critic"):
        Trainer.resume(tmp_path / "run", steps=2)


def test_memory_that_an_earlier_run_has_freed_counts(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    tmp_path: Path,
    free_for: Pretend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The heap may hold it until it is returned."""
    enough = forecast(toy_config, toy_images).memory_bytes
    free_for(enough - 1)
    monkeypatch.setattr(limits, "return_freed_memory", lambda: free_for(enough))
    Trainer.start(toy_config, toy_images, tmp_path / "run")


def test_processes_of_one_machine_share_its_memory(
    toy_config: RunConfig, toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two, each with work spaces and weights of its own, and half of the batch."""
    config = toy_config.changed(critic_batch_size=2, generator_batch_size=2)
    half = toy_config.changed(critic_batch_size=1, generator_batch_size=1)
    alone = forecast(half, toy_images).memory_bytes
    monkeypatch.setattr(estimates, "local_processes", lambda: 2)
    context = DistributedContext(world_size=2)
    monkeypatch.setattr(estimates, "distributed_context", lambda: context)
    both = forecast(config, toy_images).memory_bytes
    assert both - limits.PROGRAM_BYTES == 2 * (alone - limits.PROGRAM_BYTES)


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
        "About 5 min for 570 steps of 0.5 s; needs about 0.9 GB of memory (23 GB free)."
    )
    slow = Estimate(151.3, 24, 60, 9 * 10**8, 23 * 10**9)
    assert slow.sentence().startswith("About 60 min for 24 steps of 150 s; ")
    lacking = Estimate(60, 72_000, 72_000, 30 * 10**9, 23 * 10**9)
    assert not lacking.fits
    assert "50 days for 72,000 steps" in lacking.sentence()
    assert "lower 'Generator batch size'" in lacking.sentence()


def test_free_memory_is_that_of_the_machine() -> None:
    total = psutil.virtual_memory().total
    assert 0 < free_memory(torch.device("cpu")) < total


def test_offered_patch_sizes_are_accepted() -> None:
    config = preset("slicegan-fast")
    sizes = patch_sizes(config)
    # Five layers with anti-aliasing: 32 (n - 3).
    assert list(sizes.items())[:4] == [(32, 4), (64, 5), (96, 6), (128, 7)]
    # {4,2,2} and {4,2,3}: 32 n - 64.
    plain = patch_sizes(config.changed(architecture="slicegan"))
    assert list(plain.items())[:4] == [(32, 3), (64, 4), (96, 5), (128, 6)]
    for patch, latent in sizes.items():
        fitting = config.changed(patch_size=patch, latent_size=latent)
        check_training_size(generator_spec(fitting, 2, "phases"), patch)
        with META:
            build_critic(fitting, 2, 1, torch.Generator(device="cpu"))


def test_no_patch_size_is_offered_for_impossible_networks() -> None:
    # A kernel of 3 with stride 2 leaves a checkerboard.
    layers = ((3, 2, 1), (4, 2, 2), (4, 2, 2), (4, 2, 2), (4, 2, 3))
    assert patch_sizes(preset("slicegan-fast").changed(generator_kernels=layers)) == {}


EMPTY: dict[str, Any] = {"critic_batch_size": None, "generator_batch_size": None}


@pytest.fixture
def gpu_with(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let the estimates see a GPU with so many free bytes."""

    def pretend(free_bytes: int) -> None:
        gpu = torch.device("cuda", 0)
        monkeypatch.setattr(estimates, "choose_device", lambda setting: gpu)
        monkeypatch.setattr(estimates, "free_memory", lambda device: free_bytes)
        monkeypatch.setattr(estimates, "choose_precision", lambda *_: torch.bfloat16)
        monkeypatch.setattr(estimates, "machine_speed", lambda *_: 1e12)

    return pretend


def bytes_for(config: RunConfig, n: int) -> int:
    """Free memory in which so many volumes just fit."""
    wanted = config.changed(critic_batch_size=n, generator_batch_size=n)
    needed = step_cost(wanted, 2, "phases", True, "cuda").memory_bytes
    return round((needed + OVERHEAD_BYTES) / USABLE_MEMORY_FRACTION) + 1


@pytest.mark.parametrize(
    ("fits", "more", "expected"),
    [
        (4, 0, 4),
        # A byte less than four need.
        (4, -10, 2),
        (8, 10**12, 8),
        # Too little even for two: the run will say what to lower.
        (2, -(10**6), 2),
    ],
)
def test_as_many_as_fit(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    gpu_with: Pretend,
    monkeypatch: pytest.MonkeyPatch,
    fits: int,
    more: int,
    expected: int,
) -> None:
    """Up to a maximum, which is 8 here."""
    monkeypatch.setattr(estimates, "MAX_BATCH_SIZE", 8)
    config = toy_config.changed(**EMPTY)
    gpu_with(bytes_for(config, fits) + more)
    found = complete(config, VolumeTask(config, toy_images))
    assert found.training.volumes == (expected, expected)
    assert found == completed(config).changed(
        critic_batch_size=expected, generator_batch_size=expected
    )


def test_the_forecast_is_that_of_the_run(
    toy_config: RunConfig, toy_images: TrainingImages, gpu_with: Pretend
) -> None:
    config = toy_config.changed(**EMPTY)
    gpu_with(bytes_for(config, 4))
    found = complete(config, VolumeTask(config, toy_images))
    memory = forecast(config, toy_images).memory_bytes
    assert memory == forecast(found, toy_images).memory_bytes


def test_the_forecast_says_what_the_run_chooses() -> None:
    config = preset("slicegan-fast")
    views = [Micrograph.open(sample_path(f"fibres_{axis}")) for axis in "zyx"]
    images = TrainingImages.anisotropic(*views)
    task = VolumeTask(config, images)
    chosen = complete(config, task)
    found = choices_made(config, chosen, task)
    choices = {each.setting: each for each in found}
    assert set(choices) == {"initial_weights", "augmentation", "voxel_stretch"}
    assert choices["initial_weights"].other == "random"
    sentence = forecast(config, images).sentence()
    assert all(f" {each.text}." in sentence for each in choices.values())
    # What is set is not told.
    for weights in ("random", "pretrained"):
        given = chosen.changed(initial_weights=weights)
        started = complete(given, VolumeTask(given, images))
        assert [*choices_made(given, started, task)] == []


def test_gray_values_are_not_called_random_from_pixel_to_pixel() -> None:
    config = preset("slicegan-fast")
    smooth = (255 * (smooth_field(96, 96) > 0)).astype(np.uint8) // 2 + 40
    gray = TrainingImages.isotropic(Micrograph(smooth, "grayscale"))
    assert complete(config, VolumeTask(config, gray)).architecture.voxel_noise == "on"
    choices = forecast(config, gray).choices
    assert [each.setting for each in choices] == ["initial_weights"]


@pytest.mark.parametrize(
    "given",
    [
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
    assert complete(config, VolumeTask(config, toy_images)) == completed(config)
    # What is left empty is 2.
    expected = (given["critic_batch_size"] or 2, given["generator_batch_size"] or 2)
    assert config.training.volumes == expected


def test_processors_make_two(
    toy_config: RunConfig, toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "free_memory", lambda device: 10**12)
    config = toy_config.changed(**EMPTY)
    assert complete(config, VolumeTask(config, toy_images)) == completed(config)
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
    first = resumed.gan.generator.blocks[0][0]  # type: ignore[index]
    first.register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    next(resumed.run())
    assert sizes[0] == 4


CPU = torch.device("cpu")
# Of the machine that the tests imagine: seconds to move both networks, and speed.
MOVE_S, SPEED = 0.04, 2e7


@pytest.fixture
def imagined(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Steps take what they would on that machine; lists the images of each."""
    now, seen, count = [0.0], list[int](), AdversarialStep.step

    def step(game: AdversarialStep, real: Any, progress: float) -> torch.Tensor:
        if game.device == META:
            return count(game, real, progress)
        seen.append(game.config.training.volumes[0])
        now[0] += MOVE_S + operations(game.config) / SPEED
        return torch.zeros(3)

    monkeypatch.setattr(AdversarialStep, "step", step)
    monkeypatch.setattr(
        "napari_slicegan.training.estimates.time.perf_counter", lambda: now[0]
    )
    probe.cache_clear()
    yield seen
    probe.cache_clear()


def operations(config: RunConfig) -> float:
    return step_cost(config, 1, "signed", isotropic=True).operations


def expected_step_s(config: RunConfig) -> float:
    """Estimated seconds for a step of a run on grayscale images."""
    most = timed_settings(config, config.training.volumes[0])
    timed = probe(most, 1, "signed", CPU, 1)
    counted = {images: operations(timed_settings(config, images)) for images in timed}
    game = config.objective
    moves = game.critic_steps + game.generator_steps
    return extrapolated_s(timed, counted, operations(config), moves)


def test_a_step_is_extrapolated_from_smaller_ones(imagined: list[int]) -> None:
    config = small_image_config(
        critic_steps=3,
        critic_batch_size=512,
        generator_batch_size=512,
        share_batch=False,
    )
    # Three critic updates and one of the generator.
    expected = MOVE_S * 4 / 2 + operations(config) / SPEED
    assert expected_step_s(config) == pytest.approx(expected)
    # Doubled until a step takes long enough, which is long before the last.
    assert imagined == [2**n for n in range(1, len(imagined) + 1)]
    assert 2 <= len(imagined) < 9


def test_no_more_images_than_a_step_has(imagined: list[int]) -> None:
    expected_step_s(small_image_config(critic_batch_size=3, generator_batch_size=3))
    assert imagined == [2, 3]


def test_the_same_settings_are_timed_once(imagined: list[int]) -> None:
    small = {"critic_batch_size": 2, "generator_batch_size": 2}
    expected_step_s(small_image_config(**small))
    count = len(imagined)
    expected_step_s(small_image_config(**small, minutes=3, seed=5))
    assert len(imagined) == count
    expected_step_s(small_image_config(**small, generator_widths=(9, 6, 4)))
    assert len(imagined) > count


def test_noise_leaves_no_negative_times() -> None:
    """The step of more images took no longer: all of it is for moving the weights."""
    counted = {2: 10.0, 4: 20.0}
    seconds = extrapolated_s({2: 1.0, 4: 0.9}, counted, 100.0, 2)
    assert seconds == pytest.approx(0.9)
    # More than twice as long for twice as much: none of it is.
    seconds = extrapolated_s({2: 1.0, 4: 3.0}, counted, 100.0, 2)
    assert seconds == pytest.approx(15.0)


@pytest.mark.parametrize("name", ["realness-toy", "specgan"])
def test_real_steps_are_timed(name: str) -> None:
    """Of every kind of network, narrow ones here."""
    config = preset(name).changed(
        generator_widths=(8, 6), critic_widths=(4, 6), critic_batch_size=4
    )
    if config.architecture.dimensions == 1:
        found = probe(timed_settings(config, 4), 2, "linear", CPU, 1)
    else:
        config = config.changed(patch_size=16)
        found = probe(timed_settings(config, 4), 1, "signed", CPU, 1)
    assert list(found) == [2, 4]
    assert found[4] > 0
