"""Edits of latents and blocks: exact, local, additive, and gone afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.edits import Edit, block_names
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.regions import Box, Mask, Region, ramp
from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.models import build_generator, generator_spec
from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork
from tests.image_toys import small_image_config
from tests.refusals import Refusal, assert_all_refused
from tests.toys import random_generator

SIZE = (24, 20, 17)
# Channels of the latents and of the hidden blocks of the toy.
WIDTHS = {"latent": 4, "block1": 6, "block2": 6}
BLOCKS = ("latent", "block2")


@pytest.fixture(scope="module")
def gray() -> TrainedGenerator:
    """Writes out the network's own values, 0 to 1."""
    return random_generator(ScaleMinMax(0, 1, 1, "float64"))


@pytest.fixture(scope="module")
def phases() -> TrainedGenerator:
    return random_generator(OneHotPhases([7, 207]))


@pytest.fixture(scope="module")
def images() -> TrainedNetwork:
    """Fully connected first layer, images of 28 pixels."""
    spec = generator_spec(small_image_config(), 1, "signed")
    network = build_generator(spec, torch.Generator().manual_seed(1)).eval()
    return TrainedNetwork(network, ScaleMinMax(0, 1, 1, "float64", (-1, 1)), None)


def push(
    block: str, strength: float = 1.0, region: Region | None = None, seed: int = 0
) -> Edit:
    """Random offset of a block of the toy."""
    offset = np.random.default_rng(seed).standard_normal(WIDTHS[block])
    return Edit({block: strength * offset}, region)


def hooks_of(network: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)  # noqa: SLF001
        for module in network.modules()
    )


def test_stages_are_the_forward_pass(subtests: pytest.Subtests) -> None:
    """Block by block the same numbers, the last ones those of a call."""
    for architecture in ["slicegan", "slicegan-rc"]:
        with subtests.test(architecture):
            network = random_generator(OneHotPhases([0, 1]), architecture).network
            latents = torch.randn(
                (2, 4, 4, 5, 6), generator=torch.Generator().manual_seed(0)
            )
            with torch.no_grad():
                stages = dict(network.stages(latents))
                assert list(stages) == ["block1", "block2", "block3"]
                assert torch.equal(stages["block3"], network(latents))
                assert torch.equal(stages["block1"], network.blocks[0](latents))


def test_nothing_changes_nothing(phases: TrainedGenerator) -> None:
    """No edit, strength 0, and there and back again: the same voxels."""
    plain = generate(phases, SIZE, 3).values
    for block in WIDTHS:
        nothing = [push(block, 0.0)]
        back = [push(block, 1.7), push(block, -1.7)]
        for edits in ([], nothing, back):
            same = generate(phases, SIZE, 3, edits=edits).values
            np.testing.assert_array_equal(same, plain)
        assert (generate(phases, SIZE, 3, edits=[push(block)]).values != plain).any()


def test_edits_commute_and_add_up(gray: TrainedGenerator) -> None:
    one, two = push("latent", 0.8, seed=1), push("latent", -1.3, seed=2)
    forth = generate(gray, SIZE, 3, edits=[one, two]).values
    back = generate(gray, SIZE, 3, edits=[two, one]).values
    np.testing.assert_array_equal(forth, back)
    total = Edit({"latent": one.offsets["latent"] + two.offsets["latent"]})
    np.testing.assert_array_equal(forth, generate(gray, SIZE, 3, edits=[total]).values)


def test_no_hooks_stay_behind(gray: TrainedGenerator) -> None:
    """Neither while an edit works nor after one that fails."""
    before = generate(gray, SIZE, 3).values
    generate(gray, SIZE, 3, edits=[push("block1")])
    assert hooks_of(gray.network) == 0
    wrong = Edit({"block1": np.ones(99)})
    with pytest.raises(ValueError, match="6 channels"):
        generate(gray, SIZE, 3, edits=[wrong])
    assert hooks_of(gray.network) == 0
    np.testing.assert_array_equal(generate(gray, SIZE, 3).values, before)


def test_blocks_before_the_edited_one_stay(gray: TrainedGenerator) -> None:
    block = "block2"
    latents = torch.randn((1, 4, 4, 4, 4), generator=torch.Generator().manual_seed(0))
    offset = torch.full((6,), 0.5)
    with torch.no_grad():
        plain = dict(gray.network.stages(latents))
        edited = dict(gray.network.stages(latents, {block: offset}))
    names = list(plain)
    for name in names[: names.index(block)]:
        assert torch.equal(plain[name], edited[name])
    assert torch.equal(edited[block], plain[block] + 0.5)
    assert not torch.equal(plain["block3"], edited["block3"])


def regions() -> list[Region | None]:
    mask = np.random.default_rng(1).random(SIZE)
    box = Box((6, 4, 2), (18, 15, 17), margin=3)
    return [None, box, ramp("z", SIZE[0], -1, 1), ramp("x", SIZE[2]), Mask(mask)]


EDITED: list[tuple[str, int, int]] = [
    ("slicegan", 0, 1),
    ("slicegan", 1, 5),
    ("slicegan-rc", 2, 1),
    ("slicegan", 3, 5),
    ("slicegan-rc", 4, 5),
]


def test_tiles_join_exactly(subtests: pytest.Subtests) -> None:
    """Whatever is edited and wherever: no seam."""
    for architecture, region, tile_latents in EDITED:
        with subtests.test(
            architecture=architecture, region=region, tile_latents=tile_latents
        ):
            gray = random_generator(ScaleMinMax(0, 1, 1, "float64"), architecture)
            edits = [push(block, 1.5, regions()[region]) for block in WIDTHS]
            whole = generate(gray, SIZE, 3, tile_latents=100, edits=edits).values
            tiled = generate(
                gray, SIZE, 3, tile_latents=tile_latents, edits=edits
            ).values
            np.testing.assert_allclose(tiled, whole, atol=1e-5)
            assert np.abs(whole - generate(gray, SIZE, 3).values).max() > 0.05


def test_outside_of_a_box_nothing_changes(
    gray: TrainedGenerator, subtests: pytest.Subtests
) -> None:
    """Beyond the reach of a latent position: 8 voxels apart, 15 wide."""
    for block in BLOCKS:
        with subtests.test(block):
            size = (96, 16, 16)
            box = Box((40, 0, 0), (56, 16, 16))
            plain = generate(gray, size, 3).values
            edited = generate(gray, size, 3, edits=[push(block, 2.0, box)]).values
            changed = np.flatnonzero(np.abs(edited - plain).max(axis=(1, 2)) > 1e-5)
            assert 40 - 16 <= changed.min() <= 42
            assert 53 <= changed.max() < 56 + 16


def test_box_of_the_whole_volume_is_no_region(gray: TrainedGenerator) -> None:
    """All positions that reach the volume lie within a box that is larger by these."""
    box = Box((-99, -99, -99), (199, 199, 199))
    for block in WIDTHS:
        everywhere = generate(gray, SIZE, 3, edits=[push(block)]).values
        boxed = generate(gray, SIZE, 3, edits=[push(block, region=box)]).values
        np.testing.assert_array_equal(boxed, everywhere)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_ramp_grades_the_volume(block: str) -> None:
    """A push of the gray value towards light: every slab is lighter than the last."""
    gray = random_generator(ScaleMinMax(0, 1, 1, "float64"))
    size = (64, 32, 32)

    def means(edit: Edit) -> NDArray[Any]:
        values = generate(gray, size, 3, edits=[edit]).values
        plain = generate(gray, size, 3).values
        return np.asarray((values - plain).mean(axis=(1, 2)).reshape(4, -1).mean(1))

    steps = means(push(block, 1.0, ramp("z", size[0], 0, 1)))
    assert abs(steps[0]) < abs(steps[-1])
    back = means(push(block, 1.0, ramp("z", size[0], 1, 0)))
    assert abs(back[0]) > abs(back[-1])


def test_periodic_axes_stay_periodic(
    gray: TrainedGenerator, subtests: pytest.Subtests
) -> None:
    """A box at one end of a periodic axis acts beyond the other."""
    for block in BLOCKS:
        with subtests.test(block):
            size = (32, 16, 16)
            box = Box((0, 0, 0), (8, 16, 16))
            tiles = [
                generate(gray, size, 5, "z", n, edits=[push(block, 2.0, box)]).values
                for n in (3, 99)
            ]
            np.testing.assert_allclose(tiles[0], tiles[1], atol=1e-5)
            change = np.abs(tiles[0] - generate(gray, size, 5, "z").values).max(
                axis=(1, 2)
            )
            assert change[0] > 1e-3
            assert change[-1] > 1e-3
            assert change[20] < 1e-5


def test_truncation(gray: TrainedGenerator) -> None:
    """1 is the default, bit for bit; 0 leaves what the network makes of zeros."""
    plain = generate(gray, SIZE, 3).values
    np.testing.assert_array_equal(generate(gray, SIZE, 3, truncation=1.0).values, plain)
    still = generate(gray, SIZE, 3, truncation=0.0).values
    assert still.std() < 1e-5

    half = VolumePlan(gray, (8, 8, 8), 3, truncation=0.5)
    (tile,) = half.tiles()
    latents = 0.5 * torch.from_numpy(half.field.region(*tile.latents))
    with torch.no_grad():
        expected = gray.network(latents[None])[0, 0].numpy()
    np.testing.assert_allclose(half.values(tile).astype(float), expected, atol=1e-6)


def test_images_are_edited(images: TrainedNetwork) -> None:
    """Latents, the fully connected block as a whole, and channels of a later one."""
    network = images.network
    assert block_names(network) == ("latent", "block1", "block2", "block3")
    plain = generate_samples(images, 3, 1)
    with torch.no_grad():
        shapes = {
            name: tuple(made.shape[1:])
            for name, made in network.stages(torch.zeros(1, 5))
        }
    rng = np.random.default_rng(0)
    offsets = {
        "latent": rng.standard_normal(5),
        "block1": rng.standard_normal(shapes["block1"]),
        "block2": rng.standard_normal(shapes["block2"][0]),
    }
    for name, offset in offsets.items():
        edited = generate_samples(images, 3, 1, [Edit({name: offset})])
        assert np.abs(edited - plain).max() > 0.01
        both = [Edit({name: offset}), Edit({name: -offset})]
        np.testing.assert_array_equal(generate_samples(images, 3, 1, both), plain)


def refused_plan(edit: Edit, periodic: str = "") -> Tensor:
    trained = random_generator(OneHotPhases([0, 1]))
    plan = VolumePlan(trained, (16, 16, 16), 0, periodic, edits=[edit])
    return torch.from_numpy(plan.values(plan.tiles()[0]))


REFUSALS: list[Refusal] = [
    ("block", lambda _: refused_plan(Edit({"block3": np.ones(2)})), "'block3'"),
    (
        "channels",
        lambda _: refused_plan(Edit({"latent": np.ones(7)})),
        "4 channels of .latent",
    ),
    (
        "periodic ramp",
        lambda _: refused_plan(push("latent", 1, ramp("y", 16)), "zy"),
        "periodic axis",
    ),
    (
        "truncation",
        lambda _: generate(
            random_generator(OneHotPhases([0, 1])), (8, 8, 8), truncation=1.5
        ),
        "truncation",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)


def test_images_have_no_regions(images: TrainedNetwork) -> None:
    edit = Edit({"latent": np.ones(5)}, ramp("z", 9))
    with pytest.raises(ValueError, match="no regions"):
        generate_samples(images, 1, 0, [edit])
