"""Components and guided directions of generators whose answer is known."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions import (
    fit_directions,
    guided_directions,
    random_directions,
)
from napari_slicegan.directions.components import Features
from napari_slicegan.models import build_generator, generator_spec
from napari_slicegan.models.generator_file import TrainedNetwork
from tests.directions.planted import LATENTS, SINGULAR, Map, frames, images, volumes
from tests.progress import cancelled_after
from tests.refusals import Refusal, assert_all_refused
from tests.toys import random_generator

SHARES = SINGULAR**2 / (SINGULAR**2).sum()


@pytest.mark.parametrize("make", [volumes, images])
def test_planted_components_are_found(make: type) -> None:
    """Pooled over 4 x 4 x 4 positions, or of a fully connected block.

    Steps are standard deviations: of the pooled latent 1 / sqrt(64), of the block five
    times it.
    """
    trained = make()
    found = fit_directions(trained, n_components=3, n_samples=3000, batch=200)
    assert found.fit is not None
    assert found.fit.shares[:2] == pytest.approx(SHARES[:2], abs=0.02)
    planted = frames(trained.network.spec.widths[0] if make is volumes else 256)[1]
    for number in range(2):
        step = found.directions[number].offsets["latent"]
        cosine = step @ planted[number] / np.linalg.norm(step)
        assert abs(cosine) > 0.99
    assert found.fit.random_share < 0.5 * found.fit.shares[0]
    sigma = 1 / 8 if make is volumes else 1.0
    offsets = found.directions[0].offsets
    assert np.linalg.norm(offsets["latent"]) == pytest.approx(sigma)
    assert np.linalg.norm(offsets["block1"]) == pytest.approx(5 * sigma, rel=0.05)


def test_batches_do_not_matter() -> None:
    trained = random_generator(OneHotPhases([0, 1]))
    few = fit_directions(trained, n_samples=130, batch=7)
    many = fit_directions(trained, n_samples=130, batch=64)
    assert len(few) == len(many) > 1
    for one, other in zip(few, many, strict=True):
        for name, offset in one.offsets.items():
            np.testing.assert_allclose(offset, other.offsets[name], atol=1e-5)


def test_samples_do_not_depend_on_how_many_are_drawn() -> None:
    for trained in (volumes(), images()):
        features = Features(trained, seed=3)
        together = features.latents(0, 5)
        for number in range(5):
            alone = features.latents(number, number + 1)
            assert torch.equal(alone[0], together[number])


def test_pooled_features_are_means_of_the_forward_pass() -> None:
    trained = random_generator(OneHotPhases([0, 1]))
    features = Features(trained, seed=3)
    latents = features.latents(0, 2)
    rows, _ = features.rows(latents)
    assert list(rows) == ["latent", "block1", "block2"]
    with torch.no_grad():
        stages = dict(trained.network.stages(latents))
    np.testing.assert_allclose(rows["latent"], latents.mean((2, 3, 4)), atol=1e-6)
    for name in ("block1", "block2"):
        wanted = stages[name].mean((2, 3, 4))
        np.testing.assert_allclose(rows[name], wanted, atol=1e-5)


def test_wide_blocks_are_found_by_their_main_axes() -> None:
    """8192 numbers, too many for a covariance: the same components as planted."""
    trained = images(edge=16, channels=32)
    found = fit_directions(trained, n_components=2, n_samples=1500, batch=250)
    planted = frames(32 * 256)[1]
    for number in range(2):
        direction = found.directions[number]
        assert direction.offsets["block1"].shape == (32, 16, 16)
        step = direction.offsets["latent"]
        assert abs(step @ planted[number]) / np.linalg.norm(step) > 0.98
        length = np.linalg.norm(direction.offsets["block1"])
        assert length == pytest.approx(SINGULAR[number], rel=0.05)


@pytest.mark.parametrize("name", ["realness-toy", "specgan"])
def test_other_networks(name: str) -> None:
    """Points of normal latents, images of uniform ones: mean variance 1/3."""
    changes = {} if name == "realness-toy" else {"generator_widths": (8, 6, 4, 3, 2)}
    spec = generator_spec(preset(name).changed(**changes), 1, "linear")
    network = build_generator(spec, torch.Generator().manual_seed(0)).eval()
    trained = TrainedNetwork(network, OneHotPhases([0, 1]), None)
    found = fit_directions(trained, n_components=2, n_samples=50, batch=20)
    sigma = 1.0 if network.prior == "normal" else 3**-0.5
    for direction in found:
        assert np.linalg.norm(direction.offsets["latent"]) == pytest.approx(sigma)


def test_guided_direction_is_the_planted_one() -> None:
    """The fraction of phase 1 depends on one latent direction alone."""
    along = frames(40)[1][3]
    reader = np.zeros((2, 40))
    trained = volumes(40, Map(reader))
    with torch.no_grad():
        matrix = trained.network.get_parameter("blocks.block1.matrix")
        matrix.zero_()
        matrix[0] = torch.from_numpy(along).float()
        trained.network.get_parameter("blocks.block2.matrix")[1, 0] = 1
    name = ["phase_fraction"]
    (found,) = guided_directions(trained, name, 255, 400, batch=50, block="block1")
    assert found.block == "block1"
    assert found.name == "phase fraction"
    assert found.kind == "guided"
    step = found.offsets["latent"]
    assert np.linalg.norm(step) == pytest.approx(1 / 8)
    assert step @ along / np.linalg.norm(step) > 0.95
    # A sign for each of 64 voxels: 2 / pi of the variance is that of their mean.
    assert found.share == pytest.approx(2 / np.pi, abs=0.07)


def test_random_directions_are_as_long_as_others() -> None:
    for direction in random_directions(volumes(), 3, n_samples=100, batch=50):
        assert direction.kind == "random"
        assert np.linalg.norm(direction.offsets["latent"]) == pytest.approx(1 / 8)


def test_blocks_by_default() -> None:
    """The second of volumes, the first of images, what there is of a short chain."""
    blocks = {}
    for trained in (random_generator(OneHotPhases([0, 1])), volumes(), images()):
        found = fit_directions(trained, n_components=1, n_samples=20)
        assert found.fit is not None
        assert found.directions[0].block == found.fit.block
        blocks[trained.name, len(trained.network.blocks)] = found.fit.block
    assert blocks == {("toy", 3): "block2", ("planted", 2): "block1"}


def test_progress_and_cancel() -> None:
    trained = random_generator(OneHotPhases([0, 1]))
    shares: list[float] = []
    fit_directions(trained, n_samples=20, batch=5, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
    work = functools.partial(fit_directions, trained, n_samples=20, batch=5)
    assert cancelled_after(1, lambda progress: work(progress=progress)) == [0.25]


def still() -> TrainedNetwork:
    """All weights zero: nothing ever changes."""
    trained = random_generator(OneHotPhases([0, 1]))
    with torch.no_grad():
        for weight in trained.network.parameters():
            weight.zero_()
    return trained


REFUSALS: list[Refusal] = [
    ("block", lambda _: fit_directions(volumes(), "block9"), "'block9'"),
    ("output", lambda _: fit_directions(volumes(), "block2"), "'block2'"),
    (
        "count",
        lambda _: fit_directions(volumes(), n_components=0),
        "1 to 1,000,000 comp",
    ),
    ("nothing", lambda _: fit_directions(still(), n_samples=9), "features that vary"),
    (
        "samples",
        lambda _: guided_directions(volumes(), ["phase_fraction"], n_samples=60),
        f"{2 * LATENTS} samples",
    ),
    ("property", lambda _: guided_directions(volumes(), ["colour"]), "'colour'"),
    (
        "constant",
        lambda _: guided_directions(still(), ["phase_fraction"], n_samples=20),
        "same phase fraction",
    ),
    (
        "phase",
        lambda _: guided_directions(volumes(), ["phase_fraction"], phase=3),
        "phases 0, 255",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)
