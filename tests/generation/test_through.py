"""Volumes that pass through given sections: reached, bounded, and random elsewhere."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.edits import Edit
from napari_slicegan.generation.fixed import FixedInputs
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import box_values
from napari_slicegan.generation.streaming import MAKING, StreamedVolume
from napari_slicegan.generation.through import Section, agreement, pass_through
from napari_slicegan.models import build_generator
from tests.refusals import Refusal, assert_all_refused
from tests.toys import TOY_LABELS, random_generator

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slicegan.models.generator_file import TrainedGenerator

SIZE = (64, 24, 24)
SEED, OTHER = 3, 8
STEPS = 30
AT = 21
# Latents reach 24 voxels to both sides of those that a plane depends on.
REACH = 40


def noisy(
    stretch: tuple[int, int, int] = (1, 1, 1), fields: int = 1
) -> TrainedGenerator:
    """Two phases; noise after each of the hidden blocks and at the output."""
    toy = random_generator(OneHotPhases(TOY_LABELS), "slicegan-aa", stretch=stretch)
    spec = replace(toy.network.spec, noise=True, voxel_noise=True, fields=fields)
    network = build_generator(spec, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("gain"):
                weight.fill_(0.5)
            elif name.startswith("blocks.block3"):
                # Features are positive; both phases occur.
                weight.sub_(weight.mean(1, keepdim=True)).mul_(8)
    return replace(toy, network=network.eval().requires_grad_(False))


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    return noisy()


@pytest.fixture(scope="module")
def truth(trained: TrainedGenerator) -> NDArray[Any]:
    """Volume of another seed: its planes can be reached."""
    values: NDArray[Any] = generate(trained, SIZE, OTHER).values
    assert 0.2 < np.mean(values == TOY_LABELS[0]) < 0.8
    return values


@pytest.fixture(scope="module")
def section(truth: NDArray[Any]) -> Section:
    return Section(truth[AT], "z", AT)


@pytest.fixture(scope="module")
def plan(trained: TrainedGenerator, section: Section) -> VolumePlan:
    return pass_through(VolumePlan(trained, SIZE, SEED), [section], STEPS)


def test_the_plane_is_reached(plan: VolumePlan, section: Section) -> None:
    before = agreement(replace(plan, fixed=None), section)
    made = plan.generate().values[AT]
    assert before < 0.75
    assert np.mean(made == section.labels) > 0.97
    assert agreement(plan, section) == np.mean(made == section.labels)


def test_planes_of_unions_are_reached() -> None:
    """Of two fields per phase, as in the default preset."""
    trained = noisy(fields=2)
    section = Section(generate(trained, SIZE, OTHER).values[AT], "z", AT)
    plan = VolumePlan(trained, SIZE, SEED)
    assert agreement(plan, section) < 0.75
    assert agreement(pass_through(plan, [section], STEPS), section) > 0.97


def test_the_scale_of_logits_does_not_matter(plan: VolumePlan) -> None:
    """A margin in units of its own would be wide if logits are small.

    Planes next to the section would then copy it.
    """
    trained = plan.trained
    small = copy.deepcopy(trained.network)
    with torch.no_grad():
        for weight in small.blocks[-1].parameters():
            weight.mul_(2**-4)  # exact
    section = Section(generate(trained, SIZE, OTHER).values[AT], "z", AT)
    other = VolumePlan(replace(trained, network=small), SIZE, SEED)
    made = pass_through(other, [section], STEPS).generate().values
    np.testing.assert_array_equal(made, plan.generate().values)


def test_far_voxels_are_those_of_the_seed(plan: VolumePlan) -> None:
    """And near ones are not."""
    plain = generate(plan.trained, SIZE, SEED).values
    made = plan.generate().values
    np.testing.assert_array_equal(made[AT + REACH :], plain[AT + REACH :])
    assert np.mean(made[AT : AT + 4] != plain[AT : AT + 4]) > 0.02


def test_tiles_and_larger_volumes_contain_the_same_plane(plan: VolumePlan) -> None:
    whole = plan.generate().values
    for other in (replace(plan, tile_latents=5), replace(plan, size=(70, 41, 33))):
        made = other.generate().values[:64, :24, :24]
        np.testing.assert_array_equal(made, whole)
    box = ((AT - 1, AT + 3), (2, 20), (0, 24))
    np.testing.assert_array_equal(
        box_values(plan, box), whole[AT - 1 : AT + 3, 2:20, :]
    )


def test_another_seed_is_another_volume(plan: VolumePlan, section: Section) -> None:
    """It has the plane, but other neighbours."""
    other = pass_through(replace(plan, seed=SEED + 1, fixed=None), [section], STEPS)
    assert agreement(other, section) > 0.97
    one, two = (each.generate().values[AT + 4] for each in (plan, other))
    assert np.mean(one != two) > 0.1


def test_inputs_keep_their_distribution(plan: VolumePlan) -> None:
    """Mean 0 and variance 1, within four standard errors."""
    assert plan.fixed is not None
    for name, boxes in plan.fixed.boxes.items():
        for box in boxes:
            n = box.values.numel()
            if name.startswith("block"):
                # Offsets stay small beside features of unit mean square.
                assert box.values.square().mean().item() < 0.05
                continue
            assert abs(box.values.mean().item()) < 4 / n**0.5
            # The square of a normal variable has the variance 2.
            assert abs(box.values.var().item() - 1) < 4 * (2 / n) ** 0.5


def test_planes_that_cross_and_faces_of_a_gap(
    trained: TrainedGenerator, truth: NDArray[Any]
) -> None:
    """Also smaller than the face, in a volume that is periodic."""
    sections = [
        Section(truth[4], "z", 4),
        Section(truth[19], "z", 19),
        Section(truth[3:19, 2:12, 7], "x", 7, (3, 2)),
    ]
    plan = VolumePlan(trained, (24, 24, 24), 1, "yx")
    made = pass_through(plan, sections, 40).generate().values
    assert np.mean(made[[4, 19]] == truth[[4, 19]]) > 0.95
    assert np.mean(made[3:19, 2:12, 7] == truth[3:19, 2:12, 7]) > 0.95


def test_stretched_voxels() -> None:
    """A plane of voxels that are copies of the network's."""
    trained = noisy(stretch=(1, 1, 3))
    labels = generate(trained, (24, 24, 24), OTHER).values[5]
    section = Section(labels, "z", 5)
    plan = pass_through(VolumePlan(trained, (24, 24, 24), SEED), [section], STEPS)
    assert np.mean(plan.generate().values[5] == labels) > 0.97


def test_images_are_centred_and_matched_by_rank() -> None:
    trained = random_generator(OneHotPhases([0, 1]))
    image = Micrograph.from_array(np.eye(10, 12, dtype=np.uint8) * 255, "phases")
    section = Section.of(image, "y", 5)
    assert section.box((24, 8, 30)) == ((7, 17), (5, 6), (9, 21))
    np.testing.assert_array_equal(section.pixels(trained), np.eye(10, 12))


def test_a_streamed_volume_contains_the_plane(plan: VolumePlan, tmp_path: Path) -> None:
    """Workers read the inputs from its folder; other inputs do not continue it."""
    pytest.importorskip("zarr", reason="needs the extra scale")
    begun = StreamedVolume.begin(plan, tmp_path / "a.ome.zarr")
    elsewhere = StreamedVolume.at(begun.path)
    assert elsewhere.plan.fixed is not None
    assert begun.plan.fixed is not None
    assert elsewhere.plan.fixed.digest() == begun.plan.fixed.digest()
    with pytest.raises(ValueError, match="fixed"):
        StreamedVolume.begin(replace(plan, fixed=None), begun.path)
    elsewhere.write()
    np.testing.assert_array_equal(
        np.stack(list(begun.planes().planes)), plan.generate().values
    )
    assert not (begun.path / MAKING).exists()


def test_bad_input(trained: TrainedGenerator, tmp_path: Path) -> None:
    image = np.full((24, 24), TOY_LABELS[0])
    long = np.full((25, 24), TOY_LABELS[0])
    gray = random_generator(ScaleMinMax(0, 1, 1, "float64"))

    def fit(
        *given: Any, made_by: TrainedGenerator = trained, **more: Any
    ) -> VolumePlan:
        plan = VolumePlan(made_by, SIZE, edits=more.pop("edits", ()))
        others = more.pop("others", ())
        return pass_through(plan, [*others, Section(*given, **more)], 1)

    def of(values: NDArray[Any]) -> Section:
        return Section.of(Micrograph.from_array(values), "z", 0)

    beside = [Section(image[:8], "z", 9, (2, 0), "a.tif")]
    edit = Edit({"latent": np.ones(4)})
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 24)).astype(np.uint8)
    cases: list[Refusal] = [
        ("outside", lambda _: fit(image, "z", 64), "from 0 to 63 along z, got 64"),
        ("larger", lambda _: fit(long, "z", 0), "24 x 24 voxels.*crop"),
        ("corner", lambda _: fit(image, "z", 0, (1, 0)), "24 x 24 pixels from 1, 0"),
        ("phases", lambda _: fit(image + 1, "z", 0), "phases 7, 207, got 8"),
        ("pixels", lambda _: fit(image, "z", 0, pixel_size_nm=6.0), "5 nm.*got 6 nm"),
        ("gray", lambda _: fit(image, "z", 0, made_by=gray), "of phases.*grayscale"),
        (
            "overlap",
            lambda _: fit(image[:8], "z", 9, (9, 0), others=beside),
            "got one of z=9 where a.tif lies;",
        ),
        ("edits", lambda _: fit(image, "z", 0, edits=[edit]), "without edits"),
        ("volume", lambda _: of(noise), "one plane"),
        ("values", lambda _: of(noise[0]), "labels of phases"),
        ("file", lambda folder: FixedInputs.load(folder / "no.safetensors"), "read"),
    ]
    assert_all_refused(cases, tmp_path)
