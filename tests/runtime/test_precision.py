"""Networks in bfloat16: what is computed in it, what is not, and what comes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan.cli.parser import main
from napari_slicegan.config.presets import preset
from napari_slicegan.generation.generate import generate
from napari_slicegan.models import VolumeGenerator, build_generator, volume_spec
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.runtime import devices
from napari_slicegan.runtime.devices import choose_precision, critic_memory_format
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.toys import Crops, tensors, train

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

StartToy = Callable[..., Trainer]
MakeAdversarialStep = Callable[..., AdversarialStep]

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_auto_depends_on_the_gpu(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool
) -> None:
    """Older GPUs imitate bfloat16; torch counts this too by default."""

    def supported(including_emulation: bool = True) -> bool:
        return has_bfloat16 or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    expected = torch.bfloat16 if has_bfloat16 else torch.float32
    assert choose_precision("auto", GPU) == expected
    assert choose_precision("float32", GPU) == torch.float32
    assert choose_precision("bfloat16", GPU) == torch.bfloat16


CUDNN: dict[int | None, str] = {
    None: "",
    90_701: "",
    90_800: "9.8.0",
    91_002: "9.10.2",
    91_500: "",
}


def test_a_poor_cudnn_is_warned_about_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    subtests: pytest.Subtests,
) -> None:
    """Only where bfloat16 is chosen on a GPU."""
    for version, shown in CUDNN.items():
        with subtests.test(version=version):
            monkeypatch.setattr(torch.backends.cudnn, "version", lambda v=version: v)
            devices.warn_of_cudnn.cache_clear()
            caplog.clear()
            choose_precision("float32", GPU)
            choose_precision("bfloat16", CPU)
            assert not caplog.records
            for _ in range(2):
                choose_precision("bfloat16", GPU)
            assert len(caplog.records) == bool(shown)
            assert shown in caplog.text


def test_float32_on_a_gpu_is_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch rounds convolutions to TF32 by default; all threads share the flag."""
    flags = torch.backends.cudnn
    monkeypatch.setattr(flags, "benchmark", False)
    for device, rounded in ((GPU, False), (CPU, True)):
        monkeypatch.setattr(flags, "allow_tf32", True)
        one, other = (devices.computing_in(torch.float32, device) for _ in range(2))
        with one:
            other.__enter__()
        # Another thread still computes.
        assert flags.allow_tf32 is rounded
        other.__exit__(None, None, None)
    devices.prepare(GPU, None)
    assert not flags.allow_tf32


@pytest.mark.parametrize(
    ("gain", "expected"), [(1.2, torch.float32), (3.0, torch.bfloat16)]
)
def test_auto_depends_on_the_speed_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch, gain: float, expected: torch.dtype
) -> None:
    """Without support in hardware bfloat16 is slower; with AMX several times faster."""
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: gain)
    assert choose_precision("auto", CPU) == expected
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16


def test_the_speed_of_this_cpu_is_measured_once() -> None:
    """Emulated bfloat16 is up to tens of times slower, matrix units are faster."""
    gain = devices.bfloat16_gain()
    assert 0.01 < gain < 50
    assert devices.bfloat16_gain() == gain


def formats(game: AdversarialStep) -> dict[str, set[torch.dtype]]:
    """Filled with the formats of what the convolutions of both sides give."""
    seen: dict[str, set[torch.dtype]] = {"generator": set(), "critic": set()}
    first_block = game.generator.blocks[0][0]  # type: ignore[index]
    for side, layer in (("generator", first_block), ("critic", game.critics[0])):
        layer.register_forward_hook(
            lambda _, __, made, side=side: seen[side].add(made.dtype)
        )
    return seen


@pytest.mark.parametrize(
    ("objective", "isotropic"),
    [("r3gan", True), ("wgan-gp", False), ("realness", True)],
)
def test_steps_in_bfloat16(
    make_adversarial_step: MakeAdversarialStep, objective: str, isotropic: bool
) -> None:
    """Finite, near those in float32, and nothing but convolutions is rounded.

    bfloat16 has 8 bits, so that each value is right to 0.4 %; losses and penalty are
    means of many. The penalties take second derivatives.
    """
    changes: dict[str, Any] = {"objective": objective, "penalty_interval": 1}
    rounded = make_adversarial_step(isotropic, precision="bfloat16", **changes)
    exact = make_adversarial_step(isotropic, precision="float32", **changes)
    seen = formats(rounded)
    found, expected = (game.step(Crops(), 0) for game in (rounded, exact))
    assert seen == {"generator": {torch.bfloat16}, "critic": {torch.bfloat16}}
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.005)
    for progress in (0.3, 0.6):
        found = rounded.step(Crops(), progress)
    assert found.isfinite().all()
    assert rounded.is_finite()
    kept = {
        name: value
        for name, value in tensors(rounded.state_dict()).items()
        if value.is_floating_point() and "streams" not in name
    }
    assert {value.dtype for name, value in kept.items() if value.dim()} == {
        torch.float32
    }


@pytest.mark.parametrize("architecture", ["slicegan", "slicegan-rc"])
def test_volumes_in_bfloat16(architecture: str) -> None:
    """Each architecture, whole and in planes: right to the 8 bits of bfloat16."""
    config = preset("slicegan-fast").changed(architecture=architecture)
    generator = build_generator(volume_spec(config, 1, "unit"), torch.Generator())
    assert isinstance(generator, VolumeGenerator)
    latents = torch.randn(2, *generator.training_latents)
    places = [torch.tensor([3, 40])] * 3
    made: dict[bool, list[torch.Tensor]] = {}
    for rounded in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            planes = generator.planes(generator.features(latents), places)
            made[rounded] = [generator(latents), *planes]
    for found, exact in zip(made[True], made[False], strict=True):
        assert (found - exact).abs().mean() < 0.02 * exact.std()


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (2.0, 1.1, torch.bfloat16),
        (2.0, 0.5, torch.float32),  # another machine
        (1.1, 2.0, torch.float32),
    ],
)
def test_a_resumed_run_keeps_its_precision(
    start_toy: StartToy,
    monkeypatch: pytest.MonkeyPatch,
    before: float,
    now: float,
    expected: torch.dtype,
) -> None:
    """Also if the measurement comes out otherwise, unless the machine is another."""
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: before)
    trainer = start_toy(precision="auto", steps=1)
    train(trainer)
    assert trainer.folder is not None
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: now)
    resumed = Trainer.resume(trainer.folder.path, steps=2)
    assert resumed.gan.precision == expected


def test_auto_without_a_gain_is_float32(
    make_adversarial_step: MakeAdversarialStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit."""
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: 1.0)
    games = [
        make_adversarial_step(precision=setting) for setting in ("auto", "float32")
    ]
    seen = formats(games[0])
    losses = [game.step(Crops(), 0) for game in games]
    assert torch.equal(*losses)
    assert seen["generator"] == {torch.float32}


@pytest.fixture(scope="module")
def sharp_run(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Run whose generator has learned to be sure of its phases."""
    path = tmp_path_factory.mktemp("sharp") / "run"
    train(Trainer.start(toy_config.changed(steps=60), toy_images, path))
    return path


def test_labels_of_bfloat16_are_those_of_float32(
    sharp_run: Path, tmp_path: Path
) -> None:
    """But for a few voxels beside interfaces; by way of the command line."""
    made = {}
    for precision in ("float32", "bfloat16", "auto"):
        out = tmp_path / f"{precision}.npy"
        words = ["generate", str(sharp_run), "--device", "cpu", "--size", "64"]
        assert main([*words, "--precision", precision, "--out", str(out)]) == 0
        made[precision] = Volume.open(out).values
    agree = np.mean(made["float32"] == made["bfloat16"])
    assert 0.995 <= agree < 1
    expected = str(choose_precision("auto", CPU)).removeprefix("torch.")
    np.testing.assert_array_equal(made["auto"], made[expected])


def test_tiles_in_bfloat16_fit_together(sharp_run: Path) -> None:
    """Made of small tiles or large ones: the same but for rounding."""
    trained = load_generator(sharp_run)
    small, large = (
        generate(trained, (40, 40, 40), 1, "", n, torch.bfloat16).values for n in (4, 8)
    )
    assert np.mean(small == large) >= 0.995


def test_second_derivatives_of_large_layers_are_added_in_their_order() -> None:
    for name in ("slicegan-fast", "slicegan-paper", "oasis-64"):
        assert critic_memory_format(preset(name)) == torch.channels_last
    assert critic_memory_format(preset("specgan")) == torch.contiguous_format
